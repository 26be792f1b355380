/**
 * What fleet's users rely on, told on whole simulated nodes with every invariant watching. Which
 * story is told where: docs/scenarios.md.
 */
import t from 'tap'
import { clusterOf, soonMs, told as events } from './membership.ts'
import {
  destroy,
  followersOf,
  label,
  placesOf,
  rowsOf,
  running,
  runOnce,
  setDesired,
  start,
  submit,
  told,
  unitFile,
  unitsOn,
  why,
} from './people.ts'

const plain = unitFile('')
const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${name}-${at + 1}.service`)

t.test('a host dies: what ran there runs elsewhere, and nothing else moves', async (t) => {
  const world = await clusterOf(5)
  const names = numbered('job', 10)
  for (const name of names) await start(world, name, plain)
  await runOnce(world, ...names)
  const [victim] = followersOf(world)
  const lost = unitsOn(victim!)
  t.equal(lost.length, 2)
  const others = world.machines.filter((machine) => machine !== victim)
  const before = running(others)
  victim!.losePower()
  await runOnce(world, ...names)
  const after = running(others)
  t.same(
    before.filter((each) => !after.includes(each)),
    [],
    'the others’ containers were not touched',
  )
  t.equal(after.length, names.length)
  for (const name of lost) t.not(placesOf(world, name)[0], victim!.name)
})

t.test('all machines are cut from each other for eleven minutes: nothing changes', async (t) => {
  const world = await clusterOf(7)
  const names = numbered('job', 10)
  for (const name of names) await start(world, name, plain)
  await start(world, 'everywhere.service', unitFile('Global=true'))
  await runOnce(world, ...names)
  await world.runUntil(() => placesOf(world, 'everywhere.service').length === 7, soonMs)
  const before = running(world.machines)
  const placed = [...world.committed.placements.items.values()].map(
    ({ createRevision }) => createRevision,
  )
  const hosts = world.machines.map(({ host }) => host)
  for (const host of hosts) {
    world.network.partition(
      [host],
      hosts.filter((each) => each !== host),
    )
  }
  await world.run(660_000)
  t.same(running(world.machines), before, 'without a leader nothing is stopped or started')
  world.network.healAll()
  t.ok(await world.runUntil(() => world.leader !== undefined, soonMs), 'somebody leads again')
  await world.run(30_000)
  t.same(running(world.machines), before, 'nor by the reunion')
  t.same(
    [...world.committed.placements.items.values()].map(({ createRevision }) => createRevision),
    placed,
    'no unit was placed anew',
  )
  t.same(await events(world, 'machine.lost'), [], 'nobody was taken for lost')
})

t.test('three pairs stay together, and a pair migrates together', async (t) => {
  const world = await clusterOf(5)
  for (const number of [1, 2, 3]) {
    await start(world, `main-${number}.service`, plain)
    await start(world, `aide-${number}.service`, unitFile(`MachineOf=main-${number}.service`))
  }
  const names = [...numbered('main', 3), ...numbered('aide', 3)]
  await runOnce(world, ...names)
  const pairs = (): string[][] =>
    [1, 2, 3].map((n) => ['main', 'aide'].flatMap((one) => placesOf(world, `${one}-${n}.service`)))
  for (const [main, aide] of pairs()) t.equal(aide, main)
  const [victim] = followersOf(world).filter((machine) => unitsOn(machine).length > 0)
  victim!.losePower()
  await runOnce(world, ...names)
  for (const [main, aide] of pairs()) {
    t.equal(aide, main)
    t.not(main, victim!.name)
  }
})

t.test('five that shun each other on three machines: three run, apart', async (t) => {
  const world = await clusterOf(3)
  const names = numbered('shy', 5)
  for (const name of names) await start(world, name, unitFile('Conflicts=shy-*.service'))
  const placed = (): string[] => names.flatMap((name) => placesOf(world, name))
  t.ok(await world.runUntil(() => placed().length === 3, soonMs))
  await world.run(5000)
  t.same(placed().toSorted(), ['m1', 'm2', 'm3'])
  const waiting = names.filter((name) => placesOf(world, name).length === 0)
  for (const name of waiting) {
    const { machines } = await why(world, name)
    for (const { reason } of machines) t.match(reason, /conflict.*shy-\d/i)
  }
  const [first] = names.filter((name) => placesOf(world, name).length === 1)
  await destroy(world, first!)
  const isTaken = (): boolean => waiting.some((name) => placesOf(world, name).length === 1)
  t.ok(await world.runUntil(isTaken, soonMs), 'a place that is free is taken')
  t.equal(placed().length, 3)
})

t.test('a conflict that one side alone names holds, until the other is destroyed', async (t) => {
  const world = await clusterOf(3)
  const here = `MachineMetadata=here=yes`
  await label(world, world.machines[0]!, { here: 'yes' })
  await start(world, 'loud.service', unitFile(`${here}\nConflicts=quiet.service`))
  await runOnce(world, 'loud.service')
  await start(world, 'quiet.service', unitFile(here))
  await world.run(5000)
  t.same(placesOf(world, 'quiet.service'), [])
  const reasons = (await why(world, 'quiet.service')).machines.map(({ reason }) => reason)
  t.equal(reasons.filter((reason) => /loud\.service is there/.test(reason)).length, 1)
  await destroy(world, 'loud.service')
  await runOnce(world, 'quiet.service')
})

t.test('Replaces sends its victim to another machine', async (t) => {
  const world = await clusterOf(3)
  await start(world, 'old.service', plain)
  await runOnce(world, 'old.service')
  const [was] = placesOf(world, 'old.service')
  // The only machine that it may run on is the one of its victim.
  await label(world, world.machineNamed(was!)!, { here: 'yes' })
  await start(world, 'new.service', unitFile('Replaces=old.service\nMachineMetadata=here=yes'))
  await runOnce(world, 'new.service')
  const isMoved = (): boolean => {
    const places = placesOf(world, 'old.service')
    return places.length === 1 && places[0] !== was
  }
  t.ok(await world.runUntil(isMoved, soonMs))
  t.same(placesOf(world, 'new.service'), [was])
  t.match(await events(world, 'unit.displaced'), [
    /^old\.service leaves \S+: new\.service replaces it$/,
  ])
})

t.test('two that replace each other run on, once each, and nobody chases', async (t) => {
  const world = await clusterOf(3)
  await start(world, 'one.service', unitFile('Replaces=two.service'))
  await start(world, 'two.service', unitFile('Replaces=one.service'))
  await runOnce(world, 'one.service', 'two.service')
  const before = running(world.machines)
  await world.run(20_000)
  t.same(running(world.machines), before)
})

t.test('a global unit is on every machine, through restarts, and no rival beside it', async (t) => {
  const world = await clusterOf(3)
  await start(world, 'agent.service', unitFile('Global=true'))
  const isEverywhere = (): boolean => placesOf(world, 'agent.service').length === 3
  t.ok(await world.runUntil(isEverywhere, soonMs))
  await start(world, 'rival.service', unitFile('Global=true\nConflicts=agent.service'))
  const before = running(world.machines)
  const [machine] = followersOf(world)
  machine!.crash()
  await world.run(500)
  machine!.startIfStopped()
  await world.run(10_000)
  t.same(
    running(world.machines),
    before,
    'the agent’s restart touches nothing; the rival stays out',
  )
  const { machines } = await why(world, 'rival.service')
  for (const { reason } of machines) t.match(reason, /agent\.service/)
  machine!.losePower()
  await world.run(5000)
  machine!.gainPower()
  t.ok(await world.runUntil(isEverywhere, soonMs), 'and it is back with its machine')
  t.same(placesOf(world, 'rival.service'), [])
})

t.test('a template names the machine of each instance; an impossible one says why', async (t) => {
  const world = await clusterOf(3)
  for (const machine of world.machines) await label(world, machine, { hostname: machine.name })
  await submit(world, 'on@.service', unitFile('MachineMetadata=hostname=%i'))
  for (const { name } of world.machines) {
    await start(world, `on@${name}.service`)
    await runOnce(world, `on@${name}.service`)
    t.same(placesOf(world, `on@${name}.service`), [name])
  }
  await start(world, 'on@nowhere.service')
  await world.run(2000)
  const [row] = await rowsOf(world, 'on@nowhere.service')
  t.match(row, { machine: null, sub: 'unplaced' })
  t.match(row?.message, /it has no machine now/)
  const { isPlaced, machines } = await why(world, 'on@nowhere.service')
  t.equal(isPlaced, false)
  t.equal(machines.length, 3)
  for (const { reason } of machines) t.match(reason, /hostname=nowhere/)
})

t.test('submit, load, start and back: each verb takes a unit one state on', async (t) => {
  const world = await clusterOf(3)
  const unit = 'web.service'
  const state = async (): Promise<string> => {
    const rows = await told<{ unitFiles: { name: string; state: string }[] }>(
      world,
      'GET',
      '/v1/unit-files',
    )
    return rows.unitFiles.find(({ name }) => name === unit)?.state ?? 'none'
  }
  await submit(world, unit, plain)
  await world.run(1000)
  t.equal(await state(), 'inactive')
  await setDesired(world, unit, 'loaded')
  await world.run(1000)
  t.equal(await state(), 'loaded')
  t.same(placesOf(world, unit), [], 'placed, and not started')
  await setDesired(world, unit, 'launched')
  await runOnce(world, unit)
  await world.run(1000)
  t.equal(await state(), 'launched')
  const edited = plain.replace('[Service]', '[Service]\nEnvironment=EDIT=1')
  await t.rejects(start(world, unit, edited), /JGD_UNIT_EXISTS/, 'a unit does not change')
  const [before] = running(world.machines)
  await told(world, 'PUT', `/v1/units/${unit}`, {
    file: edited,
    desired: 'launched',
    replace: true,
  })
  await world.run(5000)
  await runOnce(world, unit)
  t.not(running(world.machines)[0], before, 'but with --replace')
  await setDesired(world, unit, 'loaded')
  const isGone = (): boolean => placesOf(world, unit).length === 0
  t.ok(await world.runUntil(isGone, soonMs), 'stop')
  await setDesired(world, unit, 'inactive')
  await world.run(1000)
  t.equal(await state(), 'inactive')
  await start(world, unit)
  await runOnce(world, unit)
  await destroy(world, unit)
  t.ok(await world.runUntil(isGone, soonMs), 'destroy, from running to nothing')
  t.equal(await state(), 'none')
})
