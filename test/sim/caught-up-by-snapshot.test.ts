import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { stateMachineSafety } from './invariants/state-machine-safety.ts'
import { World } from './world.ts'

const limitMs = 60_000
const writesTogether = 100
const entriesBetweenSnapshots = 1000
const shape = { machines: 3, voters: 3, memberSizes: { entriesBetweenSnapshots } } as const

/** The whole way of a snapshot: written, sent in pieces, installed, and gone on from. */
t.test('a member that was away for longer than the log reaches back is caught up', async (t) => {
  const world = new World({ seed: 6, shape, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster is up')
  await world.run(1000)
  const leader = world.leader!
  const away = world.machines.find((machine) => {
    const id = machine.process?.core?.memberId ?? 0
    return id !== 0 && machine !== leader.machine
  })!
  const id = away.process!.core!.memberId
  away.losePower()
  for (let at = 0; at < entriesBetweenSnapshots + 300; at += writesTogether) {
    const batch = Array.from({ length: writesTogether }, (_, n) =>
      leader.member.transact({
        compare: [],
        then: [{ kind: 'put', key: `key/${(at + n) % 700}`, value: utf8(`${at + n}`) }],
        otherwise: [],
      }),
    )
    await world.time.runUntilSettled(Promise.all(batch), limitMs)
  }
  const { firstIndex } = leader.member.member.status()
  t.ok(firstIndex > 500, `the log begins at ${firstIndex}: it cannot catch the member up`)
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
