/**
 * A move took the unit's old placement away with the lost machine. That machine came back with its
 * container well, and its agent cleared it away at once, though the replacement did not run: its image was
 * not to be had there. Nothing ran until it was.
 */
import t from 'tap'
import type { SimulatedMachine } from '../sim/machine.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { followersOf, label, placesOf, runOnce, start, unitFile } from '../sim/people.ts'
import type { World } from '../sim/world.ts'

const unit = 'rare.service'

/** One machine has the image, runs the unit, and is cut off until that was moved. */
async function movedAway(): Promise<{ world: World; away: SimulatedMachine }> {
  const world = await clusterOf(3)
  const away = followersOf(world)[0] as SimulatedMachine
  await label(world, away, { here: 'yes' })
  away.engine.publish('rare:1')
  await start(world, unit, unitFile('Prefer=here=yes:50', { image: 'rare:1' }))
  await runOnce(world, unit)
  const others = world.machines.flatMap((each) => (each === away ? [] : [each.host]))
  world.network.partition([away.host], others)
  const isMoved = (): boolean =>
    world.committed.placements.values.some((each) => each.unit === unit && each.machine !== away.id)
  t.ok(await world.runUntil(isMoved, soonMs), 'it moves')
  return { world, away }
}

t.test('it comes back before the replacement runs', async (t) => {
  const { world, away } = await movedAway()
  await world.run(1000)
  world.network.healAll()
  const isStopped = await world.runUntil(() => !placesOf(world, unit).includes(away.name), soonMs)
  t.notOk(isStopped, 'the copy that is well runs on')
  for (const { engine } of world.machines) engine.publish('rare:1')
  await runOnce(world, unit)
})

t.test('it comes back after the replacement runs', async (t) => {
  const { world, away } = await movedAway()
  for (const { engine } of world.machines) engine.publish('rare:1')
  const runsElsewhere = (): boolean => placesOf(world, unit).some((name) => name !== away.name)
  t.ok(await world.runUntil(runsElsewhere, 120_000))
  await world.run(2000)
  t.equal(world.committed.placements.values.filter((each) => each.unit === unit).length, 1)
  world.network.healAll()
  await runOnce(world, unit)
  t.notOk(placesOf(world, unit).includes(away.name), 'it is the new one that stays')
})

t.test('the machine that it moves to is lost as well', async (t) => {
  const { world, away } = await movedAway()
  const to = world.machines.find((each) =>
    world.committed.placements.values.some(
      ({ unit: name, machine }) => name === unit && machine === each.id && each !== away,
    ),
  ) as SimulatedMachine
  to.losePower()
  await world.run(3000)
  world.network.healAll()
  await world.run(soonMs)
  t.same(placesOf(world, unit), [away.name], 'it never stopped where it was')
})
