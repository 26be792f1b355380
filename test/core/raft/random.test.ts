/** Whole groups through random weather: any seed must keep every promise, and then recover. */
import t from 'tap'
import type { MemberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { MemberChange, RaftConfig } from '../../../src/core/raft/types.ts'
import { memberIds } from '../../../src/core/raft/config.ts'
import { Cluster } from './cluster.ts'
import type { TestMember } from './member.ts'

const seeds = 400
const stepsPerSeed = 2_500

/** Small bounds, so that every one of them is met often. */
const tight: Partial<RaftConfig> = {
  maxInflightMessages: 3,
  maxInflightBytes: 400,
  maxAppendBytes: 120,
  maxUncommittedBytes: 900,
  maxApplyingBytes: 150,
  maxPendingReads: 8,
  holdCommitNotice: true,
  restWhileAppending: true,
  repeatPreVote: true,
}

function randomChange(cluster: Cluster, leader: TestMember): MemberChange {
  const { random } = cluster
  const { config } = leader.raft.status()
  if (config.outgoing.length > 0) return { kind: 'leaveJoint' }
  const former = cluster.ids.filter((id) => !memberIds(config).includes(id))
  const isBack = former.length > 0 && random.chance(0.3)
  const newcomer = isBack ? random.pick(former) : (cluster.ids.at(-1) as number) + 1
  const add = random.chance(0.5) ? ('addVoter' as const) : ('addLearner' as const)
  const member = random.pick([...config.voters, ...config.learners])
  const steps = [
    { kind: random.pick(['remove', 'addLearner', 'addVoter'] as const), id: member },
    { kind: add, id: newcomer as MemberId },
  ]
  if (random.chance(0.5)) return { kind: 'simple', steps: [random.pick(steps)] }
  return { kind: 'enterJoint', steps, autoLeave: random.chance(0.5) }
}

/** A new member starts empty, under an id never used before; one that left may come back. */
function changeMembers(cluster: Cluster): void {
  const { leader } = cluster
  if (leader === undefined || cluster.members.size > 9) return
  const change = randomChange(cluster, leader)
  const proposalId = cluster.nextProposalId()
  if (change.kind !== 'leaveJoint') {
    for (const { id } of change.steps) if (!cluster.members.has(id)) cluster.add(id)
  }
  leader.step({ kind: 'changeMembers', proposalId, change })
}

function someone(cluster: Cluster): TestMember {
  return cluster.member(cluster.random.pick(cluster.ids))
}

/** Two stand at once, in one term, while voters restart between one request and the next. */
function rivals(cluster: Cluster): void {
  const { random } = cluster
  for (const id of random.shuffle(cluster.ids).slice(0, 2)) {
    cluster.member(id).step({ kind: 'campaign' })
    cluster.member(id).syncAll()
  }
  for (let turn = 0; turn < 3 * cluster.members.size; turn += 1) {
    const last = cluster.wire.length - 1
    if (last >= 0) cluster.deliver(random.integer(Math.max(0, last - 10), last))
    const member = someone(cluster)
    member.syncAll()
    if (random.chance(0.3)) member.restart(cluster.nowMs)
  }
}

/** Elections, restarts and reads in each other's way, as only few days have them. */
function storm(cluster: Cluster): void {
  const { random } = cluster
  const member = someone(cluster)
  const dice = random.fraction()
  if (dice < 0.3) rivals(cluster)
  else if (dice < 0.5) member.step({ kind: 'campaign' })
  else if (dice < 0.7) member.restart(cluster.nowMs, random.integer(0, member.unwritten.length))
  else if (dice < 0.9) cluster.read(cluster.leader ?? member)
  else for (const each of cluster.members.values()) each.syncAll()
}

function weather(cluster: Cluster, step: number): void {
  const { random } = cluster
  const dice = random.fraction()
  if (dice < 0.45) {
    if (cluster.wire.length === 0) return
    // Mostly near the front: late, but not absurdly so.
    const at = random.chance(0.8) ? 0 : random.integer(0, cluster.wire.length - 1)
    const packet = cluster.wire[at] as (typeof cluster.wire)[number]
    if (random.chance(0.05)) cluster.wire.push(packet)
    if (random.chance(0.08)) cluster.lose(at)
    else cluster.deliver(at)
  } else if (dice < 0.7) someone(cluster).sync()
  else if (dice < 0.84) cluster.tick(random.integer(1, 12))
  else if (dice < 0.92) cluster.propose(cluster.leader ?? someone(cluster), `w${step}`)
  else if (dice < 0.95) cluster.read(someone(cluster))
  else if (dice < 0.962) someone(cluster).compact(random.integer(0, 5))
  else if (dice < 0.972) changeMembers(cluster)
  else if (dice < 0.982) {
    const member = someone(cluster)
    member.restart(cluster.nowMs, random.integer(0, member.unwritten.length))
  } else if (dice < 0.986) {
    cluster.partition(...random.shuffle(cluster.ids).slice(0, random.integer(1, 3)))
  } else if (dice < 0.993) cluster.heal()
  else if (dice < 0.996) someone(cluster).step({ kind: 'transfer', to: someone(cluster).id })
  else someone(cluster).step({ kind: 'unreachable', id: someone(cluster).id })
  while (cluster.wire.length > 300) cluster.lose(0)
}

/** The weather clears: somebody leads, and everyone in the configuration comes to the same end. */
function recover(cluster: Cluster): void {
  cluster.heal()
  cluster.elect()
  // Whatever was under way, a transfer or the leader's own removal, comes to its end first.
  cluster.runFor(1_000)
  cluster.propose(cluster.elect(), 'the end')
  cluster.runFor(2_000)
  const status = (cluster.leader as TestMember).raft.status()
  for (const id of [...status.config.voters, ...status.config.learners]) {
    const member = cluster.member(id)
    const { applied } = member.raft.status()
    if (applied !== status.applied || !member.machine.includes('the end')) {
      throw new Error(`member ${id} is at ${applied}, the leader at ${status.applied}`)
    }
  }
}

function history(seed: number, options: Partial<RaftConfig>): Cluster {
  const random = new SeededRandom(seed)
  const cluster = new Cluster(random, random.pick([1, 3, 3, 5]), options)
  const isStormy = seed % 4 >= 2
  for (let step = 0; step < stepsPerSeed; step += 1) {
    weather(cluster, step)
    if (isStormy && random.chance(0.04)) storm(cluster)
  }
  recover(cluster)
  return cluster
}

t.test('any weather keeps the promises, and clears', async (t) => {
  const total = { committed: 0, reads: 0 }
  for (let seed = 1; seed <= seeds; seed += 1) {
    const options = { ...(seed % 2 === 0 ? tight : {}), preVote: seed % 4 < 3 }
    try {
      const { safety } = history(seed, options)
      total.committed += safety.lastCommitted
      total.reads += safety.readsAnswered
    } catch (error) {
      t.fail(`seed ${seed}: ${(error as Error).stack}`)
      return
    }
  }
  // Histories in which nothing happens would prove nothing.
  t.ok(total.committed > seeds * 20, `${total.committed} entries were committed`)
  t.ok(total.reads > seeds * 2, `${total.reads} reads were answered`)
})
