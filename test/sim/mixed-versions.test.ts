/**
 * Releases one apart in one cluster, under every fault: machines begin with the older one or the
 * newer, and are upgraded one after the other while all goes on.
 */
import t from 'tap'
import type { MemberId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { featureLevel, firstFeatureLevel } from '../../src/core/records/features.ts'
import { configOf, settingsOf } from './membership.ts'
import { runSeed } from './simulation.ts'
import type { World } from './world.ts'

const seeds = [4101, 4102]
const upgradeFromMs = 10_000
const upgradeEveryMsMax = 1500

/** What the cluster's level was each time it changed, and by when all machines were upgraded. */
function upgradeAsItGoes(seed: number, world: World): { levels: number[] } {
  const random = new SeededRandom(seed)
  const old = world.machines.filter((_, at) => at < 2 || random.chance(0.5))
  for (const machine of old) machine.featureLevel = featureLevel - 1
  const levels: number[] = []
  const isLate = (id: MemberId): boolean => {
    const machine = world.machineOf(id)
    return machine !== undefined && machine.featureLevel < featureLevel
  }
  world.committed.onRevision(() => {
    const level = settingsOf(world)?.featureLevel
    if (level === undefined || level === levels.at(-1)) return
    levels.push(level)
    const config = configOf(world)
    const members = [...(config?.voters ?? []), ...(config?.learners ?? [])]
    if (level === featureLevel && members.some(isLate)) {
      throw new Error('the level rose before all members knew it')
    }
  })
  const next = (at: number): void => {
    const machine = old[at]
    if (machine === undefined) return
    world.timeline.note(machine.name, 'is upgraded')
    machine.featureLevel = featureLevel
    machine.crash()
    machine.startIfStopped()
    world.time.after(random.fraction() * upgradeEveryMsMax, () => next(at + 1))
  }
  world.time.after(upgradeFromMs, () => next(0))
  return { levels }
}

for (const seed of seeds) {
  t.test(`seed ${seed}: upgraded under way, nothing is lost and the level rises`, async (t) => {
    let levels: readonly number[] = []
    const { failure, timeline, machines } = await runSeed(seed, {
      onWorld: (world) => {
        levels = upgradeAsItGoes(seed, world).levels
      },
    })
    t.equal(failure, undefined, timeline.join('\n'))
    const rises = [...new Set([firstFeatureLevel, featureLevel - 1, featureLevel])]
    t.same(levels, rises, `${machines} machines`)
  })
}
