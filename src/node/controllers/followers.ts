/** What the leader sees of the other members: who answers, and how old what they hold is. */
import type { MemberId } from '../../base/ids.ts'
import type { ProgressStatus } from '../../core/raft/types.ts'
import { CommitTimes } from '../../core/voters/commit-times.ts'
import { sleep } from '../../ports/clock.ts'
import type { ControllerContext, Office } from './context.ts'
import type { FollowerReport, QuorumReport } from './quorum-report.ts'

const lookEveryMs = 100
/** Every heartbeat is answered, so that many of them went unanswered by then. */
const silentAfterMs = 1000
/** A learner that takes nothing for so long is given up; one that restores a snapshot, later. */
const stalledAfterMs = 60_000
const stalledInSnapshotAfterMs = 600_000
/** A learner this many entries behind the leader may vote. */
const caughtUpEntries = 64

interface Seen {
  readonly match: number
  /** When it last held more than before. */
  readonly advancedMs: number
  readonly answeredMs: number
}

export class Followers {
  readonly #context: ControllerContext
  readonly #times = new CommitTimes()
  readonly #seen = new Map<MemberId, Seen>()

  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    void this.#run(office)
  }

  async #run({ signal }: Office): Promise<void> {
    while (!signal.aborted) {
      this.#look()
      await sleep(this.#context.clock, lookEveryMs, signal)
    }
  }

  #look(): void {
    const nowMs = this.#context.clock.monotonicMs()
    const { commit, progress } = this.#context.store.member.status()
    this.#times.note(nowMs, commit)
    const tracked = new Set(progress.map(({ id }) => id))
    for (const id of this.#seen.keys()) if (!tracked.has(id)) this.#seen.delete(id)
    for (const { id, match, recentlyActive } of progress) {
      const before = this.#seen.get(id)
      this.#seen.set(id, {
        match,
        advancedMs: before?.match === match ? before.advancedMs : nowMs,
        answeredMs: recentlyActive || before === undefined ? nowMs : before.answeredMs,
      })
    }
  }

  /** Its log is close enough to the leader's to vote without holding the others up. */
  isCaughtUp(id: MemberId): boolean {
    const { commit, progress } = this.#context.store.member.status()
    const match = progress.find((each) => each.id === id)?.match ?? 0
    return match + caughtUpEntries >= commit
  }

  isStalled(id: MemberId): boolean {
    const seen = this.#seen.get(id)
    if (seen === undefined || this.isCaughtUp(id)) return false
    const { progress } = this.#context.store.member.status()
    const isInSnapshot = progress.find((each) => each.id === id)?.state === 'snapshot'
    const patienceMs = isInSnapshot ? stalledInSnapshotAfterMs : stalledAfterMs
    return this.#context.clock.monotonicMs() - seen.advancedMs >= patienceMs
  }

  report(waiting: string): QuorumReport {
    const { id, term, config, commit, progress } = this.#context.store.member.status()
    const votes = (member: MemberId): boolean =>
      config.voters.includes(member) || config.outgoing.includes(member)
    return {
      leader: id,
      term,
      isJoint: config.outgoing.length > 0,
      members: progress.map((each) => this.#reportOf(each, votes(each.id), each.id === id, commit)),
      waiting,
    }
  }

  #reportOf(
    { id, match }: ProgressStatus,
    votes: boolean,
    isSelf: boolean,
    commit: number,
  ): FollowerReport {
    const nowMs = this.#context.clock.monotonicMs()
    const silentMs = isSelf ? 0 : nowMs - (this.#seen.get(id)?.answeredMs ?? nowMs)
    const answers = silentMs < silentAfterMs
    const behind = isSelf ? { ms: 0, isAtLeast: false } : this.#times.behind(nowMs, match)
    return {
      memberId: id,
      votes,
      answers,
      silentMs: answers ? 0 : Math.round(silentMs),
      behindMs: Math.round(behind.ms),
      isAtLeast: behind.isAtLeast,
      behindEntries: isSelf ? 0 : Math.max(0, commit - match),
    }
  }
}
