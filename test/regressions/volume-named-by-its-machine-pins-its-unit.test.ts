/**
 * A volume that each machine completes the name of (`-v cache-%H:/c`) was recorded under a stand-in for that
 * name, as one volume for all: its units ran on one machine alone, and started nowhere else when it was lost.
 */
import t from 'tap'
import type { VolumesAnswer } from '../../src/node/api/answers.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { placesOf, runOnce, start, told, unitFile } from '../sim/people.ts'

for (const specifier of ['%H', '%m']) {
  t.test(`a volume cache-${specifier}`, async (t) => {
    const world = await clusterOf(5)
    const file = unitFile('', { flags: `-v cache-${specifier}:/c -v own:/o` })
    await start(world, 'web.service', unitFile('', { flags: `-v cache-${specifier}:/c` }))
    await start(world, 'pinned.service', file)
    await runOnce(world, 'web.service', 'pinned.service')
    const { volumes } = await told<VolumesAnswer>(world, 'GET', '/v1/volumes')
    t.same(
      volumes.map(({ name }) => name),
      ['own'],
    )
    const [home] = placesOf(world, 'web.service')
    world.machines.find(({ name }) => name === home)?.losePower()
    const isElsewhere = (): boolean => placesOf(world, 'web.service').length === 1
    t.ok(await world.runUntil(isElsewhere, 2 * soonMs), 'it starts elsewhere')
  })
}
