import type * as Tap from 'tap'
import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import type { Snapshots } from '../../src/node/member/snapshots.ts'
import { stateMachineSafety } from './invariants/state-machine-safety.ts'
import type { SimulatedMachine } from './machine.ts'
import { World } from './world.ts'

const limitMs = 60_000
/** As a sender waits after a break. */
const pauseAfterBreakMs = 200
const writesTogether = 100
const entriesBetweenSnapshots = 1000
const shape = { machines: 3, voters: 3, memberSizes: { entriesBetweenSnapshots } } as const

/** Through whoever leads, many at a time. */
async function writeMany(world: World, count: number, valueBytes: number): Promise<void> {
  for (let at = 0; at < count; at += writesTogether) {
    const batch = Array.from({ length: writesTogether }, (_, n) =>
      world.leader!.member.transact({
        compare: [],
        then: [{ kind: 'put', key: `key/${(at + n) % 700}`, value: valueOf(at + n, valueBytes) }],
        otherwise: [],
      }),
    )
    await world.time.runUntilSettled(Promise.all(batch), limitMs)
  }
}

const valueOf = (number: number, bytes: number): Uint8Array => utf8(`${number}`.padStart(bytes))

/** Three voters, one of them left behind, and the way from the leader to it slow from now on. */
async function slowlyCaughtUp(t: Tap.Test, valueBytes: number, delayMs: number) {
  const world = new World({ seed: 6, shape, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster is up')
  await world.run(1000)
  const away = await leftBehind(t, world, valueBytes)
  const { machine, member } = world.leader!
  const [delayMsMin, delayMsMax] = [delayMs, delayMs + 5]
  world.network.setQuality(machine.host, away.host, { delayMsMin, delayMsMax })
  const own = () => away.process?.core?.member?.member
  return { world, away, machine, leader: member.member, member, own }
}

/** A voter that does not lead loses its power, and comes back when the log is no help to it. */
async function leftBehind(
  t: Tap.Test,
  world: World,
  valueBytes: number,
): Promise<SimulatedMachine> {
  const leader = world.leader!
  const away = world.machines.find((machine) => {
    const id = machine.process?.core?.memberId ?? 0
    return id !== 0 && machine !== leader.machine
  })!
  away.losePower()
  // Nothing is kept for it once it has not been heard for a while.
  await world.run(1000)
  await writeMany(world, entriesBetweenSnapshots + 300, valueBytes)
  const isCut = (): boolean => leader.member.member.status().firstIndex > 500
  t.ok(await world.runUntil(isCut, limitMs), 'its log cannot catch the member up')
  return away
}

/** The whole way of a snapshot: written, sent in pieces, installed, and gone on from. */
t.test('a member that was away for longer than the log reaches back is caught up', async (t) => {
  const world = new World({ seed: 6, shape, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster is up')
  await world.run(1000)
  const leader = world.leader!
  const away = await leftBehind(t, world, 8)
  const id = leader.member.knownMembers().find(({ machineId }) => machineId === away.id)?.id
  away.gainPower()
  const own = () => away.process?.core?.member
  const isCaughtUp = () => own()?.member.store.revision === leader.member.member.store.revision
  t.ok(await world.runUntil(isCaughtUp, limitMs), 'it has everything')
  t.equal(away.process?.core?.memberId, id, 'as the member that it was')
  await world.time.runUntilSettled(
    leader.member.transact({
      compare: [],
      then: [{ kind: 'put', key: 'after', value: utf8('the snapshot') }],
      otherwise: [],
    }),
    limitMs,
  )
  t.ok(await world.runUntil(isCaughtUp, limitMs), 'and goes on with the log')

  // What it was sent is on its disk: a restart needs nobody.
  away.losePower()
  for (const machine of world.machines) if (machine !== away) machine.losePower()
  away.gainPower()
  const restored = () =>
    own()?.member.store.range({ key: 'key/699' }).kind === 'range' ? own() : undefined
  t.ok(await world.runUntil(() => restored() !== undefined, limitMs), 'it is back, alone')
  const answer = restored()!.member.store.range({ key: 'key/699' })
  t.match(answer, { kind: 'range', result: { items: [{ key: 'key/699' }] } })
})

/** Eight megabytes and more, and a connection that breaks again and again before they are through. */
t.test('a snapshot goes on where its connection broke', async (t) => {
  const { world, away, machine, leader, own } = await slowlyCaughtUp(t, 12_000, 15)
  away.gainPower()
  const isSending = (): boolean =>
    leader.status().progress.some(({ state }) => state === 'snapshot')
  t.ok(await world.runUntil(isSending, limitMs), 'it is being sent')
  t.ok(await world.runUntil(() => own() !== undefined, limitMs))
  const hadBytes = noteBegins(own()!.snapshots)
  let breaks = 0
  for (; breaks < 100 && isSending(); breaks += 1) {
    machine.process?.breakStreamsWith(away.host)
    await world.run(pauseAfterBreakMs + 30 * (breaks % 8))
  }
  t.ok(breaks > 3, `${breaks} breaks`)
  const isLevel = () => own()?.store.revision === leader.store.revision
  t.ok(await world.runUntil(isLevel, limitMs), 'it has all')
  t.ok(
    new Set(hadBytes).size > 3,
    `begun ${hadBytes.length} times, in ${new Set(hadBytes).size} places`,
  )
  t.same(
    hadBytes,
    hadBytes.toSorted((a, b) => a - b),
    'and never fewer than before',
  )
})

/** A snapshot is due before the one before has arrived, again and again. */
t.test('who needs a snapshot is caught up while others write without pause', async (t) => {
  const { world, away, leader, member, own } = await slowlyCaughtUp(t, 4500, 25)
  let written = 0
  const isStopped = { now: false }
  const writing = Array.from({ length: 10 }, async (_, at) => {
    for (let n = at; !isStopped.now; n += 10) {
      const put = { kind: 'put', key: `key/${n % 700}`, value: valueOf(n, 100) } as const
      await member.transact({ compare: [], then: [put], otherwise: [] })
      written += 1
      await new Promise<void>((resolve) => world.time.after(5, resolve))
    }
  })
  away.gainPower()
  const isNear = (): boolean =>
    leader.store.appliedIndex - (own()?.store.appliedIndex ?? 0) < entriesBetweenSnapshots / 2
  t.ok(await world.runUntil(isNear, 15_000), 'it is with them')
  isStopped.now = true
  await world.time.runUntilSettled(Promise.all(writing), limitMs)
  t.ok(written > 3 * entriesBetweenSnapshots, `${written} writes meanwhile`)
})

/** What it has already, each time that somebody begins to send. */
function noteBegins(snapshots: Snapshots): number[] {
  const bytes: number[] = []
  const begin = snapshots.receiveBegin.bind(snapshots)
  snapshots.receiveBegin = async (snapshot, mayResume, sender) => {
    const taken = await begin(snapshot, mayResume, sender)
    bytes.push(taken.bytes)
    return taken
  }
  return bytes
}
