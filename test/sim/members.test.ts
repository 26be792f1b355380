/** Stories of membership, on whole simulated nodes with every invariant watching. */
import t from 'tap'
import { describeQuorum } from '../../src/core/voters/quorum.ts'
import { learnerReplaceAfterMs, standbysMax } from '../../src/core/voters/view.ts'
import {
  clusterOf,
  configOf,
  idOf,
  isWhole,
  put,
  settingsOf,
  soonMs,
  told,
  votersOf,
  wishFor,
  write,
  writeThrough,
} from './membership.ts'
import type { SimulatedMachine } from './machine.ts'
import type { World } from './world.ts'

const leaderOf = (world: World): SimulatedMachine => {
  if (world.leader === undefined) throw new Error('nobody leads')
  return world.leader.machine
}
const followersOf = (world: World): SimulatedMachine[] =>
  votersOf(world).filter((machine) => machine !== leaderOf(world))

t.test('five machines hold three voters and two standbys, and say so', async (t) => {
  const world = await clusterOf(5)
  const hasStandbys = (): boolean => configOf(world)?.learners.length === standbysMax
  t.ok(await world.runUntil(hasStandbys, soonMs), 'two stand by')
  await world.run(5000)
  t.ok(isWhole(world, 3) && hasStandbys(), 'and it stays so')
  const added = await told(world, 'member.added')
  t.match(added.at(-1), /^m\d begins as member \d+: a standby is ready to vote$/)
  t.match(await told(world, 'voters.changed'), [/make it 3 voters/])
})

t.test('a leader that stops hands over: nobody is without a leader for 100 ms', async (t) => {
  const world = await clusterOf(5, 5)
  for (let round = 0; round < 5; round += 1) {
    const old = leaderOf(world)
    const others = world.machines.filter((machine) => machine !== old)
    const stopping = old.stop()
    let withoutMs = 0
    let lastMs = world.time.nowMs
    const watch = (): boolean => {
      const leads = [old, ...others].some(
        ({ process }) => process?.core?.member?.member.leadership.role === 'leader',
      )
      const nowMs = world.time.nowMs
      if (!leads) withoutMs += nowMs - lastMs
      lastMs = nowMs
      return old.process === undefined
    }
    t.ok(await world.runUntil(watch, soonMs), `${old.name} has stopped`)
    await stopping
    await world.runUntil(() => {
      watch()
      return world.leader !== undefined
    }, soonMs)
    t.ok(withoutMs <= 100, `${withoutMs.toFixed(1)} ms without a leader`)
    t.not(world.leader?.machine, old)
    old.start()
    t.ok(await world.runUntil(() => old.process?.core?.member !== undefined, soonMs))
    await world.run(2000)
  }
})

t.test('the leader is demoted: another leads, and it votes no more', async (t) => {
  const world = await clusterOf(4)
  await world.run(2000)
  const old = leaderOf(world)
  await write(world, wishFor(old, 'client'))
  const isClient = (): boolean => old.process?.core?.memberId === 0
  t.ok(await world.runUntil(isClient, soonMs), 'it is a client')
  t.ok(await world.runUntil(() => isWhole(world, 3), soonMs), 'and three others vote')
  t.notOk(votersOf(world).includes(old))
  t.match((await told(world, 'leader.transfer')).at(-1), /is to lead: m\d is not to vote/)
  await world.run(3000)
  t.ok(isClient(), 'nobody asks it again')
  await write(world, wishFor(old, 'voter'))
  const votesAgain = (): boolean => isWhole(world, 3) && votersOf(world).includes(old)
  t.ok(await world.runUntil(votesAgain, soonMs), 'until it is promoted')
})

t.test('a dead member is demoted: a standby votes in its place at once', async (t) => {
  const world = await clusterOf(4)
  t.ok(await world.runUntil(() => configOf(world)?.learners.length === 1, soonMs))
  const [dead] = followersOf(world) as [SimulatedMachine]
  dead.losePower()
  await world.run(4000)
  await write(world, wishFor(dead, 'client'))
  t.ok(await world.runUntil(() => isWhole(world, 3), 5000), 'long before ten minutes are over')
  dead.gainPower()
  const isClient = (): boolean => dead.process?.core?.memberId === 0
  t.ok(await world.runUntil(isClient, soonMs), 'back, it is a client')
})

t.test('a learner that dies as it begins holds up no replacement', async (t) => {
  const world = await clusterOf(5)
  t.ok(await world.runUntil(() => configOf(world)?.learners.length === 2, soonMs))
  const standbys = (configOf(world)?.learners ?? []).flatMap((id) => world.machineOf(id) ?? [])
  const [first, second] = standbys as [SimulatedMachine, SimulatedMachine]
  const [gone] = followersOf(world) as [SimulatedMachine]
  first.losePower()
  gone.losePower()
  await world.run(3000)
  await write(world, wishFor(gone, 'client'))
  t.ok(await world.runUntil(() => isWhole(world, 3), learnerReplaceAfterMs), 'the other one votes')
  t.ok(votersOf(world).includes(second))
})

t.test('a majority is lost: writes are refused, and one return restores', async (t) => {
  const world = await clusterOf(3)
  await write(world, put('before', '1'))
  const [one, other, last] = [...followersOf(world), leaderOf(world)] as SimulatedMachine[]
  one!.losePower()
  other!.losePower()
  await world.run(3000)
  t.equal(await writeThrough(world, last!, put('during', '1')), 'JGD_NO_QUORUM')
  const seen = await last!.process!.core!.store.range({ key: 'before' }, 'local')
  t.equal(seen.items.length, 1, 'what was written can be read')
  one!.gainPower()
  t.ok(await world.runUntil(() => world.leader !== undefined, soonMs), 'one is back')
  t.equal(await writeThrough(world, last!, put('after', '1')), undefined)
})

t.test('all machines start at once, and go on as the members they were', async (t) => {
  const world = await clusterOf(3)
  await write(world, put('before', '1'))
  const before = world.machines.map(idOf)
  for (const machine of world.machines) machine.losePower()
  await world.run(1000)
  for (const machine of world.machines) machine.gainPower()
  t.ok(await world.runUntil(() => isWhole(world, 3), soonMs))
  t.same(world.machines.map(idOf), before)
  await write(world, put('after', '1'))
})

t.test('a wiped machine comes back as a new member, without help', async (t) => {
  const world = await clusterOf(3)
  const [wiped] = followersOf(world) as [SimulatedMachine]
  const before = idOf(wiped)
  wiped.losePower()
  wiped.replaceDisk()
  await world.run(3000)
  wiped.gainPower()
  const isBack = (): boolean => isWhole(world, 3) && votersOf(world).includes(wiped)
  t.ok(await world.runUntil(isBack, 60_000))
  t.ok(idOf(wiped) > before, 'under a number that nobody had')
  await world.run(500)
  t.match(await told(world, 'voters.changed'), [/make it 3/, /has lost its disk; .* votes in its/])
})

t.test('a voter with a slow disk is told to be behind, and a dead one to be silent', async (t) => {
  const world = await clusterOf(3)
  const [slow] = followersOf(world) as [SimulatedMachine]
  const words = async (): Promise<string> => {
    const core = leaderOf(world).process?.core
    const { members } = await world.time.runUntilSettled(core!.quorum(), soonMs)
    const toName = (id: number): string => world.machineOf(id as never)?.name ?? `${id}`
    const named = members.map((each) => ({ ...each, name: toName(each.memberId) }))
    return describeQuorum(named, []).words
  }
  t.equal(await words(), '3 voters, can lose 1')
  slow.disk.faults.stalledSync = 1
  for (let at = 0; at < 40; at += 1) {
    await write(world, put('key', `${at}`))
    await world.run(50)
  }
  t.match(await words(), new RegExp(`3 voters, .*${slow.name} is \\d\\.\\d s behind`))
  const id = idOf(slow)
  slow.disk.faults.stalledSync = 0
  slow.losePower()
  await world.run(2500)
  t.match(
    await words(),
    new RegExp(`3 voters, 2 answer, can lose none; ${id} has not answered for`),
  )
})

t.test('one release apart: the new one waits for the old, then takes over', async (t) => {
  const world = await clusterOf(3, 3, 1)
  const level = (): number | undefined => settingsOf(world)?.featureLevel
  const [first, second, third] = world.machines as [
    SimulatedMachine,
    SimulatedMachine,
    SimulatedMachine,
  ]
  const upgrade = async (machine: SimulatedMachine): Promise<void> => {
    await machine.stop()
    machine.featureLevel = 2
    machine.start()
  }
  for (const machine of [first, second]) {
    await world.time.runUntilSettled(upgrade(machine), soonMs)
    t.ok(await world.runUntil(() => isWhole(world, 3), soonMs), `${machine.name} is upgraded`)
    await world.run(3000)
    t.equal(await writeThrough(world, machine, put('mixed', machine.name)), undefined)
  }
  t.equal(level(), 1, 'the third does not know level 2, whoever leads')
  await write(world, wishFor(first, 'client'))
  await world.run(3000)
  t.ok(votersOf(world).includes(first), 'what level 1 does not know is not acted upon')
  await world.time.runUntilSettled(upgrade(third), soonMs)
  t.ok(await world.runUntil(() => level() === 2, soonMs), 'the level rises')
  t.match((await told(world, 'cluster.featureLevel')).at(-1), /every member knows feature level 2/)
  t.ok(await world.runUntil(() => !votersOf(world).includes(first), soonMs), 'and now it is')
})

t.test(
  'the leader is demoted and its successors are slow to take over: no write fails',
  async (t) => {
    const world = await clusterOf(3)
    const old = leaderOf(world)
    const [one, other] = followersOf(world) as [SimulatedMachine, SimulatedMachine]
    // Neither has the other's vote, and each takes long to write its own.
    for (const from of [one, other]) {
      for (const to of [one, other]) if (from !== to) world.network.cut(from.host, to.host)
    }
    one.disk.faults.stalledSync = 1
    other.disk.faults.stalledSync = 1
    await write(world, wishFor(old, 'client'))
    let done = 0
    for (let at = 0; at < 40; at += 1) {
      if ((await writeThrough(world, old, put('key', `${at}`))) === undefined) done += 1
    }
    t.equal(done, 40)
    one.disk.faults.stalledSync = 0
    other.disk.faults.stalledSync = 0
    world.network.healAll()
    const isOut = (): boolean => world.leader !== undefined && !votersOf(world).includes(old)
    t.ok(await world.runUntil(isOut, 60_000), 'healed, the demotion is carried out')
  },
)
