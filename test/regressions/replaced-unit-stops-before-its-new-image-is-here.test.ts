/**
 * A unit's file was replaced by one with another image: what ran was stopped at once, and the image pulled
 * then. For all of the pull nothing ran, and with an image that does not exist nothing ran any more.
 */
import t from 'tap'
import { clusterOf, soonMs } from '../sim/membership.ts'
import {
  placesOf,
  rowsOf,
  running,
  runOnce,
  setDesired,
  start,
  told,
  unitFile,
} from '../sim/people.ts'

const unit = 'web.service'

for (const restart of ['always', 'no']) {
  t.test(`with Restart=${restart}`, async (t) => {
    const world = await clusterOf(3)
    const file = (image: string): string => unitFile('', { image, service: `Restart=${restart}` })
    await start(world, unit, file('busybox:jangada'))
    await runOnce(world, unit)
    const before = running(world.machines)
    const replace = { file: file('next:2'), replace: true, desired: 'launched' }
    await told(world, 'PUT', `/v1/units/${unit}`, replace)
    await world.run(soonMs / 2)
    t.same(running(world.machines), before, 'it runs on, as it was')
    const [row] = await rowsOf(world, unit)
    t.match(row, { active: 'activating', sub: 'pulling' }, 'and does not pass for the new one')
    t.match(row?.message, /next:2/)
    for (const { engine } of world.machines) engine.publish('next:2')
    const isNew = (): boolean =>
      world.machines.some(({ engine }) => engine.running.some(({ image }) => image === 'next:2'))
    t.ok(await world.runUntil(isNew, 2 * soonMs), 'it is replaced once there is one')
    await runOnce(world, unit)
  })
}

t.test('who is not wanted any more stops, image or not', async (t) => {
  const world = await clusterOf(3)
  await start(world, unit, unitFile(''))
  await runOnce(world, unit)
  const file = unitFile('', { image: 'next:2' })
  await told(world, 'PUT', `/v1/units/${unit}`, { file, replace: true, desired: 'launched' })
  await world.run(2000)
  await setDesired(world, unit, 'inactive')
  t.ok(await world.runUntil(() => placesOf(world, unit).length === 0, soonMs))
})
