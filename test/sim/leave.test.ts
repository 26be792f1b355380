/** Machines that are taken out of the cluster: their work moves, their vote goes, their key is known no more. */
import t from 'tap'
import { admissions, states } from '../../src/core/records/keyspace.ts'
import type { MachinesAnswer } from '../../src/node/api/answers.ts'
import type { LeaveAnswer } from '../../src/node/api/operation-answers.ts'
import { clusterOf, soonMs, votersOf } from './membership.ts'
import {
  ask,
  followersOf,
  label,
  placesOf,
  runOnce,
  setDesired,
  start,
  told,
  unitFile,
  unitsOn,
} from './people.ts'
import type { SimulatedMachine } from './machine.ts'
import type { World } from './world.ts'

const names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => `job-${number}.service`)

async function begin(): Promise<World> {
  const world = await clusterOf(5)
  for (const name of names) await start(world, name, unitFile(''))
  await start(world, 'everywhere.service', unitFile('Global=true'))
  await runOnce(world, ...names)
  await world.runUntil(() => placesOf(world, 'everywhere.service').length === 5, soonMs)
  return world
}

/** As `jangada leave` does once the machine is drained; through another machine. */
async function leave(world: World, machine: SimulatedMachine, force = false): Promise<LeaveAnswer> {
  const through = world.machines.find((each) => each !== machine && each.process !== undefined)!
  for (let look = 0; look < 100; look += 1) {
    const path = `/v1/machines/${machine.id}/leave`
    const { status, value } = await ask(world, through, 'POST', path, { force })
    if (status !== 200) throw new Error(JSON.stringify(value))
    if ((value as LeaveAnswer).isDone) return value as LeaveAnswer
    await world.run(500)
  }
  throw new Error(`${machine.name} does not leave`)
}

const listed = async (world: World): Promise<string[]> =>
  (await told<MachinesAnswer>(world, 'GET', '/v1/machines')).machines.map(({ name }) => name)

for (const who of ['a follower', 'the leader'] as const) {
  t.test(`${who} drains and leaves`, async (t) => {
    const world = await begin()
    const leader = world.leader!.machine
    const machine = who === 'the leader' ? leader : votersOf(world).find((each) => each !== leader)!
    const path = `/v1/machines/${machine.id}`
    await t.rejects(told(world, 'POST', `${path}/leave`), /jangada drain/, 'not with its units')
    await told(world, 'POST', `${path}/drain`, {})
    const isDrained = (): boolean => unitsOn(machine).join() === 'everywhere.service'
    t.ok(await world.runUntil(isDrained, soonMs))
    await leave(world, machine)
    t.same(unitsOn(machine), [], 'the global unit stopped too')
    t.notOk((await listed(world)).includes(machine.name))
    t.notOk(votersOf(world).includes(machine))
    t.equal(votersOf(world).length, 3, 'another votes in its place')
    t.equal(world.committed.get(admissions.key(machine.id)), undefined)
    await runOnce(world, ...names)
    await world.run(30_000)
    t.notOk((await listed(world)).includes(machine.name), 'and it does not come back by itself')
    machine.crash()
    await world.run(1000)
    machine.startIfStopped()
    await world.run(30_000)
    t.same(unitsOn(machine), [], 'nor when its agent starts again')
    await runOnce(world, ...names)
  })
}

t.test('one that will not come back is taken off the list, and its work goes on', async (t) => {
  const world = await begin()
  const machine = world.machines.find((each) => each !== world.leader?.machine)!
  machine.losePower()
  await world.runUntil(
    () => world.committed.machines.values.some(({ status }) => status === 'lost'),
    soonMs,
  )
  const path = `/v1/machines/${machine.id}/leave`
  await t.rejects(told(world, 'POST', path), /switched off/)
  await leave(world, machine, true)
  t.equal((await listed(world)).length, 4)
  await runOnce(world, ...names)
})

const slowToStop = `[Service]
Restart=always
TimeoutStopSec=60
ExecStart=/usr/bin/docker run busybox:jangada
`

const stateOn = (world: World, { id }: SimulatedMachine, unit: string) =>
  world.committed.get(states.key(id, unit))

/** A machine, not the leader, that stops `slow.service` and has not yet. */
async function stopping(world: World): Promise<SimulatedMachine> {
  await label(world, followersOf(world)[0]!, { here: 'yes' })
  const file = `${slowToStop}\n[X-Fleet]\nMachineMetadata=here=yes\n`
  await start(world, 'slow.service', file)
  await runOnce(world, 'slow.service')
  return world.machines.find(({ name }) => name === placesOf(world, 'slow.service')[0])!
}

t.test(
  'one that dies while it stops a unit is taken off the list: nobody tells of its end',
  async (t) => {
    const world = await clusterOf(5)
    const machine = await stopping(world)
    await setDesired(world, 'slow.service', 'inactive')
    await world.run(3000)
    machine.losePower()
    await world.runUntil(
      () => world.committed.machines.values.some(({ status }) => status === 'lost'),
      soonMs,
    )
    t.ok(stateOn(world, machine, 'slow.service'), 'it was being stopped')
    await leave(world, machine, true)
    t.equal(world.committed.get(admissions.key(machine.id)), undefined)
    t.equal(stateOn(world, machine, 'slow.service'), undefined)
  },
)

t.test(
  'one that dies after it was told to leave goes when people say that it is off',
  async (t) => {
    const world = await clusterOf(5)
    const machine = await stopping(world)
    const path = `/v1/machines/${machine.id}/leave`
    await told(world, 'POST', path, { force: true })
    await world.run(10_000)
    t.match(await told(world, 'POST', path, { force: true }), { units: 1, isDone: false })
    t.match(await told(world, 'POST', path), { units: 1 }, 'it stops it, and is waited for')
    machine.losePower()
    await world.run(30_000)
    await t.rejects(told(world, 'POST', path), /switched off/)
    await leave(world, machine, true)
    t.equal(world.committed.get(admissions.key(machine.id)), undefined)
  },
)
