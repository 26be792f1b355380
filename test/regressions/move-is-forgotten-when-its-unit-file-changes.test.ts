/**
 * A unit's file was replaced while the unit moved: what was written of its new file said no more that it
 * moves. It was on two machines for good, or the move was undone.
 */
import t from 'tap'
import type { SimulatedMachine } from '../sim/machine.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { followersOf, label, placesOf, runOnce, start, told, unitFile } from '../sim/people.ts'

const unit = 'rare.service'

t.test('it moves on', async (t) => {
  const world = await clusterOf(3)
  const [from] = followersOf(world) as [SimulatedMachine]
  await label(world, from, { here: 'yes' })
  from.engine.publish('rare:1')
  const file = unitFile('Prefer=here=yes:50', { image: 'rare:1' })
  await start(world, unit, file)
  await runOnce(world, unit)

  await label(world, from, { here: null })
  await told(world, 'POST', `/v1/units/${unit}/move`)
  const placed = (): readonly { machine: string; hash: string }[] =>
    world.committed.placements.values.filter((each) => each.unit === unit)
  t.ok(await world.runUntil(() => placed().length === 2, soonMs), 'its replacement has a place')
  const [before] = placed()
  await told(world, 'PUT', `/v1/units/${unit}`, {
    file: `[Unit]\nDescription=Changed\n${file}`,
    replace: true,
  })
  const isHeard = (): boolean => placed().every(({ hash }) => hash !== before!.hash)
  t.ok(await world.runUntil(isHeard, soonMs), 'both have the new file')
  await world.run(1000)
  t.equal(placed().length, 2, 'it waits for the image still')

  for (const { engine } of world.machines) engine.publish('rare:1')
  const isGone = (): boolean => !placesOf(world, unit).includes(from.name)
  t.ok(await world.runUntil(isGone, 120_000), 'it left')
  await runOnce(world, unit)
})
