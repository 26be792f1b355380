/**
 * More of what fleet's users rely on: who may join, shutdowns, labels that change, a net that splits,
 * engines, images and disks that fail. On whole simulated nodes, as test/sim/fleet.test.ts.
 */
import t from 'tap'
import { isJangadaError } from '../../src/base/errors.ts'
import { joinWithToken } from '../../src/node/enrol/join.ts'
import { SimulatedClock } from './clock.ts'
import { simulatedCrypto } from './crypto.ts'
import { seededEntropy } from './entropy.ts'
import { clusterOf, put, soonMs, told as events, write } from './membership.ts'
import {
  followersOf,
  label,
  placesOf,
  rowsOf,
  running,
  runOnce,
  start,
  submit,
  told,
  unitFile,
  unitsOn,
  why,
} from './people.ts'
import { simulatedHttps } from './pinned-https.ts'

const plain = unitFile('')
const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${name}-${at + 1}.service`)

t.test(
  'a second machine with the id of one that lives is refused, and told whose it is',
  async (t) => {
    const world = await clusterOf(3)
    const [, original, door] = world.machines
    const { token } = await told<{ token: string }>(world, 'POST', '/v1/tokens', {
      role: 'machine',
    })
    const crypto = simulatedCrypto(world.random.fork())
    const clock = new SimulatedClock(world.time, world.random.fork())
    const entropy = seededEntropy(world.random.fork())
    const https = simulatedHttps({
      host: '10.0.0.99',
      alive: () => true,
      clock,
      network: world.network,
      serverAt: (host) => world.machines.find((each) => each.host === host)?.process?.server,
    })
    let outcome = ''
    const deps = { https, crypto, clock, entropy }
    void joinWithToken(deps, token, {
      doors: [{ host: door!.host, port: 7381 }],
      key: await crypto.generateKey(),
      facts: { ...original!.facts(), name: 'twin', address: '10.0.0.99' },
    }).then(
      () => (outcome = 'admitted'),
      (error: unknown) => {
        outcome = isJangadaError(error) ? `${error.code} ${error.message}` : String(error)
      },
    )
    t.ok(await world.runUntil(() => outcome !== '', soonMs))
    t.match(
      outcome,
      /^JGD_MACHINE_LIVE the id 51710000 is that of m2 \(10\.0\.0\.2\), which is live/,
    )
    await world.run(3000)
    t.equal(world.committed.machines.values.length, 3)
    t.same(await events(world, 'machine.lost'), [])
  },
)

t.test('a machine is stopped while a unit waits for its restart, and nobody leads', async (t) => {
  const world = await clusterOf(3)
  const [machine] = followersOf(world)
  const slow = { service: 'Restart=always\nRestartSec=10', command: 'sh -c "sleep 1;exit 1"' }
  await start(world, 'fails.service', unitFile(`MachineID=${machine!.id}`, slow))
  await start(world, 'stays.service', unitFile(`MachineID=${machine!.id}`))
  await runOnce(world, 'stays.service')
  const hasFailed = (): boolean => machine!.engine.all.some(({ state }) => state === 'exited')
  t.ok(await world.runUntil(hasFailed, soonMs))
  const others = world.machines.filter((each) => each !== machine).map(({ host }) => host)
  world.network.partition([machine!.host], others)
  await world.run(5000)
  const before = running([machine!])
  let isStopped = false
  void machine!.stop().then(() => (isStopped = true))
  t.ok(await world.runUntil(() => isStopped, 10_000), 'it ends without anybody’s leave')
  const { starts } = machine!.engine
  await world.run(15_000)
  t.equal(machine!.engine.starts, starts, 'and starts nothing behind it')
  t.same(running([machine!]), before, 'what was healthy runs on')
  world.network.healAll()
  machine!.startIfStopped()
  t.ok(await world.runUntil(() => machine!.engine.starts > starts, soonMs), 'its successor goes on')
  t.ok(before.every((each) => running([machine!]).includes(each)))
})

t.test(
  'instances spread over a label; one each of those that say so; a port has one holder',
  async (t) => {
    const world = await clusterOf(3)
    for (const [at, machine] of world.machines.entries()) {
      await label(world, machine, { zone: at === 0 ? 'a' : 'b' })
    }
    await submit(world, 'wide@.service', unitFile('Spread=zone'))
    const wide = [1, 2, 3, 4].map((number) => `wide@${number}.service`)
    for (const name of wide) await start(world, name)
    await runOnce(world, ...wide)
    const inA = wide.filter((name) => placesOf(world, name)[0] === 'm1')
    t.equal(inA.length, 2, 'two in each zone, though one has twice the machines')

    await submit(world, 'single@.service', unitFile('Conflicts=single@*.service'))
    const port = { flags: '--publish 8080:80' }
    await submit(world, 'port@.service', unitFile('', port))
    for (const kind of ['single', 'port']) {
      const names = [1, 2, 3, 4].map((number) => `${kind}@${number}.service`)
      for (const name of names) await start(world, name)
      const places = (): string[] => names.flatMap((name) => placesOf(world, name))
      t.ok(await world.runUntil(() => places().length === 3, soonMs))
      await world.run(3000)
      t.same(places().toSorted(), ['m1', 'm2', 'm3'], kind)
      const [left] = names.filter((name) => placesOf(world, name).length === 0)
      const { machines } = await why(world, left!)
      for (const { reason } of machines) t.match(reason, kind === 'port' ? /8080/ : /single@/)
    }
  },
)

t.test(
  'a label goes: what asks for it moves to where it is, or stops; nothing else does',
  async (t) => {
    const world = await clusterOf(3)
    const [first, second] = world.machines
    await label(world, first!, { disk: 'nvme' })
    await start(world, 'fast.service', unitFile('MachineMetadata=disk=nvme'))
    await start(world, 'aide.service', unitFile('MachineOf=fast.service'))
    const others = numbered('job', 3)
    for (const name of others) await start(world, name, plain)
    await runOnce(world, 'fast.service', 'aide.service', ...others)
    t.same(placesOf(world, 'fast.service'), ['m1'])
    const before = running(world.machines).filter((each) => each.startsWith('job'))
    await label(world, second!, { disk: 'nvme' })
    await label(world, first!, { disk: 'hdd' })
    const isMoved = (): boolean =>
      ['fast.service', 'aide.service'].every((name) => placesOf(world, name).join() === 'm2')
    t.ok(await world.runUntil(isMoved, soonMs), 'with what follows it')
    await label(world, second!, { disk: null })
    const isGone = (): boolean => placesOf(world, 'fast.service').length === 0
    t.ok(await world.runUntil(isGone, soonMs), 'no machine has it now')
    await label(world, first!, { disk: 'nvme' })
    await runOnce(world, 'fast.service', 'aide.service')
    t.same(
      running(world.machines).filter((each) => each.startsWith('job')),
      before,
    )
  },
)

t.test('a machine is cut off: replaced, and at the reunion the older copies stop', async (t) => {
  const world = await clusterOf(5)
  const names = numbered('job', 10)
  for (const name of names) await start(world, name, plain)
  await runOnce(world, ...names)
  for (const cutLeader of [false, true]) {
    const machine = cutLeader ? world.leader!.machine : followersOf(world)[0]!
    const others = world.machines.filter((each) => each !== machine)
    const moved = unitsOn(machine)
    t.ok(moved.length > 0)
    const untouched = running(others)
    world.network.partition(
      [machine.host],
      others.map(({ host }) => host),
    )
    const isReplaced = (): boolean => moved.every((name) => placesOf(world, name).length === 2)
    t.ok(await world.runUntil(isReplaced, soonMs), 'both run for as long as nobody can know')
    const replaced = running(others)
    t.same(
      untouched.filter((each) => !replaced.includes(each)),
      [],
    )
    world.network.healAll()
    await runOnce(world, ...names)
    await world.run(5000)
    t.same(running(others), replaced, 'the replacements were not touched')
    t.same(unitsOn(machine), [])
    // So that the next one to be cut off has work: what is there moves no more by itself.
    for (const name of numbered(`more-${String(cutLeader)}`, 10)) {
      await start(world, name, plain)
      await runOnce(world, name)
    }
  }
})

t.test('agents and engines die again and again under load: no container notices', async (t) => {
  const world = await clusterOf(3)
  const names = numbered('job', 12)
  for (const name of names) await start(world, name, plain)
  await runOnce(world, ...names)
  const [machine] = followersOf(world)
  const before = running(world.machines)
  for (let round = 1; round <= 20; round += 1) {
    // People go on, so that every agent begins in the middle of something.
    await submit(world, `other-${round}.service`, plain)
    machine!.crash()
    if (round % 4 === 0) machine!.engine.crash()
    await world.run(100 + 40 * round)
    machine!.engine.restart()
    machine!.startIfStopped()
    await world.run(50 * round)
  }
  await world.run(10_000)
  t.same(running(world.machines), before)
  t.same(await events(world, 'machine.lost'), [])
})

t.test(
  'an image that nobody has: explained, nobody else waits, and it runs once there is one',
  async (t) => {
    const world = await clusterOf(3)
    await start(world, 'late.service', unitFile('', { image: 'late:1' }))
    const names = numbered('job', 6)
    for (const name of names) await start(world, name, plain)
    await runOnce(world, ...names)
    const before = running(world.machines)
    await world.run(60_000)
    const [row] = await rowsOf(world, 'late.service')
    t.match(row?.message, /late:1 could not be pulled/)
    t.match(
      (await why(world, 'late.service')).machines.map(({ reason }) => reason).join(),
      /late:1/,
    )
    t.same(running(world.machines), before)
    for (const { engine } of world.machines) engine.publish('late:1')
    t.ok(await world.runUntil(() => placesOf(world, 'late.service').length === 1, 700_000))
    t.same(
      running(world.machines).filter((each) => each.startsWith('job')),
      before,
    )
  },
)

t.test(
  'a machine’s disk is full: its work goes on, and so does it once there is room',
  async (t) => {
    const world = await clusterOf(3)
    const names = numbered('job', 6)
    for (const name of names) await start(world, name, plain)
    await runOnce(world, ...names)
    const [machine] = followersOf(world)
    const ours = running([machine!])
    t.ok(ours.length > 0)
    machine!.disk.capacityBytes = 0
    const hasEnded = (): boolean => machine!.starts > 1
    for (let round = 1; round <= 40 && !hasEnded(); round += 1) {
      await write(world, put('users/grows', 'x'.repeat(30_000 + round)))
      await world.run(500)
    }
    await world.run(30_000)
    t.ok(hasEnded(), 'the process has ended, and tries again')
    t.same(running([machine!]), ours, 'its containers run on')
    machine!.disk.capacityBytes = Infinity
    const isBack = (): boolean => {
      const record = world.committed.machines.values.find(({ id }) => id === machine!.id)
      return record?.status === 'ready' && machine!.process?.server !== undefined
    }
    t.ok(await world.runUntil(isBack, soonMs))
    await runOnce(world, ...names)
  },
)
