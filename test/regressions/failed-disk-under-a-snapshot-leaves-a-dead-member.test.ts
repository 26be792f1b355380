/**
 * A follower that was being sent a snapshot had its disk fail. Its log was of no use from then on,
 * and it stayed: it took no entry, so nothing told it, and the leader sent the snapshot again and
 * again. Found by the simulation, as a second voter was lost meanwhile.
 */
import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 30_000
/** Longer than any election and any retry; what counts is that it is not for ever. */
const noticesWithinMs = 2000
const shape = {
  machines: 3,
  voters: 3,
  memberSizes: { entriesBetweenSnapshots: 100, segmentBytes: 8192 },
} as const

t.test('a disk that fails under a snapshot ends the member at once', async (t) => {
  const world = new World({ seed: 8, shape, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster is up')
  const leader = world.leader!
  const follower = world.machines.find((machine) => machine !== leader.machine)!
  const id = follower.process!.core!.memberId
  follower.losePower()
  for (let at = 0; at < 300; at += 1) {
    const put = { kind: 'put', key: `key/${at}`, value: utf8('x'.repeat(500)) } as const
    const write = leader.member.transact({ compare: [], then: [put], otherwise: [] })
    await world.time.runUntilSettled(write, limitMs)
  }
  follower.gainPower()
  const isSent = (): boolean =>
    leader.member.member.status().progress.find((each) => each.id === id)?.state === 'snapshot'
  const isBack = (): boolean => follower.process?.core?.memberId === id && isSent()
  t.ok(await world.runUntil(isBack, limitMs), 'it is being sent a snapshot')

  const { starts, disk } = follower
  const { failedSyncs } = disk.counts
  disk.faults.failedSync = 1
  t.ok(await world.runUntil(() => disk.counts.failedSyncs > failedSyncs, limitMs), 'a sync fails')
  disk.faults.failedSync = 0
  const isRestarted = (): boolean => follower.starts > starts
  t.ok(await world.runUntil(isRestarted, noticesWithinMs), 'the process ends and starts again')
  const isWhole = (): boolean => {
    const voters = leader.member.member.status().config.voters
    return voters.length === 3 && !voters.includes(id)
  }
  t.ok(await world.runUntil(isWhole, limitMs), 'its machine is a new member')
})
