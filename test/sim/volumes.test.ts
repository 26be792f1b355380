/** Named volumes on whole simulated nodes: they are made once, and never a second time, empty, elsewhere. */
import t from 'tap'
import { volumes } from '../../src/core/records/keyspace.ts'
import type { VolumesAnswer } from '../../src/node/api/answers.ts'
import { keyOf } from './committed.ts'
import { clusterOf, soonMs } from './membership.ts'
import { ask, placesOf, rowsOf, runOnce, setDesired, start, told, unitFile, why } from './people.ts'
import type { World } from './world.ts'

const using = (flags: string, rules = '') => unitFile(rules, { flags })
const listed = async (world: World) =>
  (await told<VolumesAnswer>(world, 'GET', '/v1/volumes')).volumes.map(
    ({ name, machineName, status, units }) => `${name} ${machineName} ${status} ${units.join(' ')}`,
  )

t.test(
  'a unit waits for the machine with its volume, and goes on when it is given up',
  async (t) => {
    const world = await clusterOf(5)
    const made: string[] = []
    world.committed.onRevision(({ events }) => {
      for (const event of events) {
        if (event.kind === 'put' && keyOf(event).startsWith(volumes.prefix)) made.push(keyOf(event))
      }
    })
    await start(world, 'db.service', using('-v data:/d'))
    await start(world, 'backup.service', using('--mount source=data,target=/d'))
    await start(world, 'web.service', using('-v /srv:/s'))
    await runOnce(world, 'db.service', 'backup.service', 'web.service')
    const [home] = placesOf(world, 'db.service')
    t.same(placesOf(world, 'backup.service'), [home], 'both are with it')
    t.same(await listed(world), [`data ${home} ready backup.service db.service`])
    t.equal(made.length, 1)

    await setDesired(world, 'db.service', 'inactive')
    await world.runUntil(() => placesOf(world, 'db.service').length === 0, soonMs)
    await start(world, 'db.service')
    await runOnce(world, 'db.service')
    t.same(placesOf(world, 'db.service'), [home], 'stopped and started, it is where it was')

    const machine = world.machines.find(({ name }) => name === home)!
    const other = world.machines.find((each) => each !== machine)!
    const inUse = await ask(world, other, 'DELETE', '/v1/volumes/data')
    t.match(inUse, {
      status: 409,
      value: { error: { code: 'JGD_CONFLICT', hint: /jangada unload/ } },
    })

    machine.losePower()
    const isLost = () =>
      world.committed.machines.values.some(({ name, status }) => name === home && status === 'lost')
    t.ok(await world.runUntil(isLost, soonMs))
    await world.run(20_000)
    t.same(placesOf(world, 'db.service'), [], 'nowhere else is it made anew')
    t.match(
      (await rowsOf(world, 'db.service'))[0]?.message,
      /waits for its volume data, which is there/,
    )
    const reasons = (await why(world, 'db.service')).machines.filter(({ name }) => name !== home)
    for (const { reason } of reasons) t.match(reason, /its volume data is on /)

    await told(world, 'DELETE', '/v1/volumes/data')
    await runOnce(world, 'db.service', 'backup.service')
    t.same(placesOf(world, 'db.service'), placesOf(world, 'backup.service'), 'together again')
    t.not(placesOf(world, 'db.service')[0], home)
    t.equal(made.length, 2)
  },
)

t.test('a volume is not forgotten by mistake', async (t) => {
  const world = await clusterOf(3)
  await start(world, 'everywhere.service', using('-v logs:/d', 'Global=true'))
  const isRecorded = async () => (await listed(world)).length === 3
  await world.runUntil(() => placesOf(world, 'everywhere.service').length === 3, soonMs)
  t.ok(await isRecorded())
  const [machine] = world.machines
  t.match(await ask(world, machine!, 'DELETE', '/v1/volumes/nothing'), { status: 404 })
  t.match(await ask(world, machine!, 'DELETE', '/v1/volumes/logs'), {
    status: 409,
    value: { error: { hint: /--machine/ } },
  })
  t.ok(await isRecorded())
})
