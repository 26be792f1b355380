/**
 * A unit's file was replaced by one that uses a volume of another machine. It stayed where it was, and made a
 * second, empty volume of that name there, which counted as the volume from then on: when the machine of the
 * first one was lost, the unit that had written to it started beside the empty one.
 */
import t from 'tap'
import type { VolumesAnswer } from '../../src/node/api/answers.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { placesOf, runOnce, start, told, unitFile } from '../sim/people.ts'

const using = unitFile('', { flags: '-v data:/d' })
const volumesOf = async (world: Parameters<typeof told>[0]): Promise<unknown[]> =>
  (await told<VolumesAnswer>(world, 'GET', '/v1/volumes')).volumes.map(
    ({ machineName }) => machineName,
  )

t.test('it goes where the volume is', async (t) => {
  const world = await clusterOf(5)
  await start(world, 'db.service', using)
  await start(world, 'other.service', unitFile('Conflicts=db.service'))
  await runOnce(world, 'db.service', 'other.service')
  const [home] = placesOf(world, 'db.service')
  t.not(placesOf(world, 'other.service')[0], home)

  const replace = { file: using, replace: true, desired: 'launched' }
  await told(world, 'PUT', '/v1/units/other.service', replace)
  const moved = (): boolean => placesOf(world, 'other.service').join() === home
  t.ok(await world.runUntil(moved, 2 * soonMs))
  t.same(await volumesOf(world), [home])

  world.machines.find(({ name }) => name === home)?.losePower()
  await world.run(2 * soonMs)
  t.same(placesOf(world, 'db.service'), [], 'it waits for its data')
  t.same(await volumesOf(world), [home])
})
