/**
 * Holds the number of voters, by itself: asks `core/voters` for the next step and takes it. A
 * step that fails is asked for again; every step leaves the cluster able to decide.
 */
import { assertNever } from '../../base/assert.ts'
import { describeError } from '../../base/errors.ts'
import { machineId, type MachineId, type MemberId, memberId } from '../../base/ids.ts'
import { features, firstFeatureLevel, levelOfMembers } from '../../core/records/features.ts'
import { clusterSettings, machines, members, voting } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  ClusterSettingsRecord,
  MachineRecord,
  MemberRecord,
  VotingRecord,
} from '../../core/records/schemas.ts'
import { decideVoters } from '../../core/voters/decide.ts'
import { failureDomain } from '../../core/voters/domain.ts'
import type { VoterMachine, VoterMember, VotersStep, VotersView } from '../../core/voters/view.ts'
import { sleep } from '../../ports/clock.ts'
import type { RecordView } from '../member/follow.ts'
import { assertInOffice, putEvent, viewOf } from './context.ts'
import { Followers } from './followers.ts'
import type { QuorumReport } from './quorum-report.ts'
import { type VotersOptions, VotersSteps } from './voters-steps.ts'

const lookEveryMs = 100
const defaultTarget = 3
/** A machine on which a member could not begin is left alone for this long. */
const avoidMs = 10_000
/** And one whose member took nothing, for longer. */
const avoidStalledMs = 120_000
/** A voter that did not take the lead is not asked again before. */
const unfitMs = 10_000
/** What stands in the way for so long is worth an event; a catch-up is over before. */
const tellWaitingAfterMs = 30_000

export class VotersController {
  readonly #options: VotersOptions
  readonly #machines: RecordView<MachineRecord, [string]>
  readonly #members: RecordView<MemberRecord, [string]>
  readonly #voting: RecordView<VotingRecord, [string]>
  readonly #settings: RecordView<ClusterSettingsRecord, ['cluster']>
  readonly #followers: Followers
  readonly #steps: VotersSteps
  /**
   * Since when this office has seen each machine's status, on the monotonic clock: records tell
   * it on the wall clock of whoever wrote them, which may be an hour from this one.
   */
  readonly #statusSeen = new Map<string, { readonly status: string; readonly sinceMs: number }>()
  /** Each machine is asked once, and again only after a while. */
  readonly #avoidedUntilMs = new Map<MachineId, number>()
  /** Voters that did not take the lead: while they are asked, nothing is written. */
  readonly #unfitUntilMs = new Map<MemberId, number>()
  #waiting = { why: '', sinceMs: 0, isTold: false }

  constructor(options: VotersOptions) {
    this.#options = options
    const { context, office } = options
    this.#machines = viewOf(context, machines, office, () => undefined)
    this.#members = viewOf(context, members, office, () => undefined)
    this.#voting = viewOf(context, voting, office, () => undefined)
    this.#settings = viewOf(context, clusterSettings, office, () => undefined)
    this.#followers = new Followers(context, office)
    this.#steps = new VotersSteps(options, this.#machines, this.#members)
  }

  start(): void {
    void this.#run()
  }

  quorum(): QuorumReport {
    return this.#followers.report(this.#waiting.why)
  }

  async #run(): Promise<void> {
    const { context, office } = this.#options
    const views = [this.#machines, this.#members, this.#voting, this.#settings]
    while (!office.signal.aborted) {
      await sleep(context.clock, lookEveryMs, office.signal)
      if (office.signal.aborted) return
      if (views.some(({ at }) => at === undefined)) continue
      try {
        // In one loop with the steps: no member of a lower level can come in between.
        if (!(await this.#raiseLevel())) await this.#take(decideVoters(this.#view()))
      } catch (error) {
        if (!office.signal.aborted) {
          context.log.info('the voters stay as they are for now', { cause: describeError(error) })
        }
      }
    }
  }

  #view(): VotersView {
    const { context } = this.#options
    const status = context.store.member.status()
    return {
      nowMs: context.clock.monotonicMs(),
      self: context.store.member.id,
      target: this.#setting?.value.voters ?? defaultTarget,
      voters: status.config.voters,
      outgoing: status.config.outgoing,
      learners: status.config.learners,
      members: this.#members.values.map((record) => this.#toMember(record)),
      machines: this.#machines.values.map((record) => this.#toMachine(record)),
    }
  }

  #toMember(record: MemberRecord): VoterMember {
    const { progress } = this.#options.context.store.member.status()
    const id = memberId(record.memberId)
    return {
      id,
      machine: machineId(record.machineId),
      caughtUp: this.#followers.isCaughtUp(id) && !this.#isUnfit(id),
      stalled: this.#followers.isStalled(id),
      match: progress.find((each) => each.id === id)?.match ?? 0,
    }
  }

  #isUnfit(id: MemberId): boolean {
    return this.#options.context.clock.monotonicMs() < (this.#unfitUntilMs.get(id) ?? 0)
  }

  #toMachine(record: MachineRecord): VoterMachine {
    const { context } = this.#options
    const id = machineId(record.id)
    const { status, name, durable } = record
    const knowsWishes = this.#level >= features.votingWishes
    return {
      id,
      name,
      status,
      durable,
      sinceMs: this.#seenSinceMs(record),
      eligible: this.#isEligible(record),
      avoided: context.clock.monotonicMs() < (this.#avoidedUntilMs.get(id) ?? 0),
      domain: failureDomain(record),
      wish: knowsWishes ? (this.#voting.get(id)?.value.wish ?? 'auto') : 'auto',
      runs: this.#options.runs(id),
    }
  }

  #isEligible({ roleCeiling, durable, featureLevel }: MachineRecord): boolean {
    const isNewEnough = (featureLevel ?? firstFeatureLevel) >= this.#level
    const keepsPromises = durable || this.#setting?.value.volatileVoters === true
    return roleCeiling === 'voter' && keepsPromises && isNewEnough
  }

  #seenSinceMs({ id, status }: MachineRecord): number {
    const seen = this.#statusSeen.get(id)
    if (seen?.status === status) return seen.sinceMs
    const sinceMs = this.#options.context.clock.monotonicMs()
    this.#statusSeen.set(id, { status, sinceMs })
    return sinceMs
  }

  get #setting(): Stored<ClusterSettingsRecord> | undefined {
    return this.#settings.get('cluster')
  }

  get #level(): number {
    return this.#setting?.value.featureLevel ?? firstFeatureLevel
  }

  async #take(step: VotersStep): Promise<void> {
    if (step.kind !== 'none') this.#waiting = { why: '', sinceMs: 0, isTold: false }
    switch (step.kind) {
      case 'none':
        await this.#noteWaiting(step.why)
        return
      case 'addLearner':
        this.#avoid(step.machine, avoidMs)
        await this.#steps.addLearner(step)
        return
      case 'change':
        for (const id of step.remove) {
          const machine = this.#members.get(String(id))?.value.machineId
          const isStalled = machine !== undefined && this.#followers.isStalled(id)
          if (isStalled) this.#avoid(machineId(machine), avoidStalledMs)
        }
        await this.#steps.change(step)
        return
      case 'transfer':
        await this.#steps.transfer(step)
        // This office goes on: it was not taken.
        this.#unfitUntilMs.set(step.to, this.#options.context.clock.monotonicMs() + unfitMs)
        return
      case 'forget':
        await this.#steps.forget(step.member)
        return
      default:
        assertNever(step)
    }
  }

  #avoid(machine: MachineId, forMs: number): void {
    this.#avoidedUntilMs.set(machine, this.#options.context.clock.monotonicMs() + forMs)
  }

  /** What is not as it should be is told once, when it has stayed so. */
  async #noteWaiting(why: string): Promise<void> {
    const nowMs = this.#options.context.clock.monotonicMs()
    if (this.#waiting.why !== why) this.#waiting = { why, sinceMs: nowMs, isTold: false }
    const { isTold, sinceMs } = this.#waiting
    if (why === '' || isTold || nowMs - sinceMs < tellWaitingAfterMs) return
    this.#waiting = { why, sinceMs, isTold: true }
    await this.#steps.tell('voters.waiting', why, undefined)
  }

  /** True when the level was raised: what is decided next is decided under the new one. */
  async #raiseLevel(): Promise<boolean> {
    const { context, office, featureLevel } = this.#options
    const stored = this.#setting
    if (stored === undefined) return false
    const { voters, outgoing, learners, learnersNext } = context.store.member.status().config
    const ids = new Set([...voters, ...outgoing, ...learners, ...learnersNext])
    const levels = [...ids].map((id) => {
      const machine = this.#members.get(String(id))?.value.machineId
      return machine === undefined ? undefined : this.#machines.get(machine)?.value.featureLevel
    })
    const level = Math.min(featureLevel, levelOfMembers(levels))
    if (level <= stored.value.featureLevel) return false
    assertInOffice(office)
    const message = `every member knows feature level ${level}: from now on it is the cluster's`
    const { succeeded, revision } = await context.store.transact({
      compare: [{ target: 'modRevision', key: stored.key, is: '=', to: stored.modRevision }],
      then: [
        clusterSettings.put({ ...stored.value, featureLevel: level }, 'cluster'),
        putEvent(context, { kind: 'cluster.featureLevel', severity: 'info', message }),
      ],
      otherwise: [],
      term: office.term,
    })
    if (!succeeded) return true
    while ((this.#settings.at ?? 0) < revision && !office.signal.aborted) {
      await sleep(context.clock, 1, office.signal)
    }
    return true
  }
}
