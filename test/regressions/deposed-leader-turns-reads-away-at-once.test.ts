import t from 'tap'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 15_000

/**
 * A leader counted how long it had heard no leader from its own election on. Deposed after a
 * while, it took itself for cut off for all that time, and refused reads although the next
 * leader was a moment away.
 */
t.test('a leader that was deposed a moment ago lets reads wait for the next one', async (t) => {
  const world = new World({ seed: 4, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster came up')
  await world.run(10_000)
  const old = world.leader!.machine
  const others = world.machines.filter((machine) => machine !== old).map(({ host }) => host)
  world.network.partition([old.host], others)
  const core = old.process!.core!
  const isDeposed = (): boolean => core.member?.member.leadership.role !== 'leader'
  t.ok(await world.runUntil(isDeposed, limitMs), 'it learns that nobody follows')
  const read = core.store.range({ key: '/jangada/settings/cluster' }, 'linearizable')
  world.network.healAll()
  const { items } = await world.time.runUntilSettled(read, limitMs)
  t.equal(items.length, 1)
})
