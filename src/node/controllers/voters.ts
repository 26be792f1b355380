/**
 * Holds the number of voters, by itself: asks `core/voters` for the next step and takes it. A
 * step that fails is asked for again; every step leaves the cluster able to decide.
 */
import { describeError } from '../../base/errors.ts'
import { machineId, type MachineId, type MemberId, memberId } from '../../base/ids.ts'
import { decideVoters, type VoterMember, type VotersStep } from '../../core/voters/decide.ts'
import { clusterSettings, machines, members } from '../../core/records/keyspace.ts'
import type { MachineRecord, MemberRecord } from '../../core/records/schemas.ts'
import type { MemberStep } from '../../core/raft/types.ts'
import { sleep } from '../../ports/clock.ts'
import { formatAddress } from '../member/directory.ts'
import type { RecordView } from '../member/follow.ts'
import type { Door } from '../wire/door.ts'
import { assertInOffice, type ControllerContext, type Office, putEvent, viewOf } from './context.ts'

const lookEveryMs = 100
const prepareTimeoutMs = 5000
/** A learner this many entries behind the leader may vote. */
const caughtUpEntries = 64
const defaultTarget = 3
/** A machine on which a member could not begin is left alone for this long. */
const avoidMs = 10_000

export interface VotersOptions {
  readonly context: ControllerContext
  readonly office: Office
  readonly door: () => Door
  readonly peerPort: number
  /** The member a machine says it runs, once that is sure; see `LivenessController.runs`. */
  readonly runs: (machine: MachineId) => number | undefined
  readonly forgetRuns: (machine: MachineId) => void
  /** The cluster's secrets, sealed to a machine that is about to vote. */
  readonly sealFor: (machine: MachineId) => Promise<void>
}

export class VotersController {
  readonly #options: VotersOptions
  readonly #machines: RecordView<MachineRecord, [string]>
  readonly #members: RecordView<MemberRecord, [string]>
  /**
   * Since when this office has seen each machine's status, on the monotonic clock: records tell
   * it on the wall clock of whoever wrote them, which may be an hour from this one.
   */
  readonly #statusSeen = new Map<string, { readonly status: string; readonly sinceMs: number }>()
  /** Each machine is asked once, and again only after a while. */
  readonly #avoidedUntilMs = new Map<MachineId, number>()

  constructor(options: VotersOptions) {
    this.#options = options
    const { context, office } = options
    this.#machines = viewOf(context, machines, office, () => undefined)
    this.#members = viewOf(context, members, office, () => undefined)
  }

  start(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    const { context, office } = this.#options
    while (!office.signal.aborted) {
      await sleep(context.clock, lookEveryMs, office.signal)
      if (office.signal.aborted) return
      if (this.#machines.at === undefined || this.#members.at === undefined) continue
      try {
        await this.#take(decideVoters(await this.#view()))
      } catch (error) {
        if (!office.signal.aborted) {
          context.log.info('the voters stay as they are for now', { cause: describeError(error) })
        }
      }
    }
  }

  async #view(): Promise<Parameters<typeof decideVoters>[0]> {
    const { context, runs } = this.#options
    const status = context.store.member.status()
    const match = new Map(status.progress.map((progress) => [progress.id, progress.match]))
    const toMember = (record: MemberRecord): VoterMember => ({
      id: memberId(record.memberId),
      machine: machineId(record.machineId),
      caughtUp: (match.get(memberId(record.memberId)) ?? 0) + caughtUpEntries >= status.commit,
    })
    return {
      nowMs: context.clock.monotonicMs(),
      self: context.store.member.id,
      target: await this.#target(),
      voters: status.config.voters,
      outgoing: status.config.outgoing,
      learners: status.config.learners,
      members: this.#members.values.map(toMember),
      machines: this.#machines.values.map((machine) => ({
        id: machineId(machine.id),
        status: machine.status,
        sinceMs: this.#seenSinceMs(machine),
        eligible: this.#isEligible(machine),
        runs: runs(machineId(machine.id)),
      })),
    }
  }

  #isEligible({ id, roleCeiling, durable }: MachineRecord): boolean {
    const avoidedUntilMs = this.#avoidedUntilMs.get(machineId(id)) ?? 0
    const nowMs = this.#options.context.clock.monotonicMs()
    return roleCeiling === 'voter' && durable && nowMs >= avoidedUntilMs
  }

  #seenSinceMs({ id, status }: MachineRecord): number {
    const seen = this.#statusSeen.get(id)
    if (seen?.status === status) return seen.sinceMs
    const sinceMs = this.#options.context.clock.monotonicMs()
    this.#statusSeen.set(id, { status, sinceMs })
    return sinceMs
  }

  async #target(): Promise<number> {
    const { store } = this.#options.context
    const { items } = await store.range({ key: clusterSettings.key('cluster') }, 'local')
    const item = items[0]
    return (
      (item === undefined ? undefined : clusterSettings.read(item)?.value.voters) ?? defaultTarget
    )
  }

  async #take(step: VotersStep): Promise<void> {
    switch (step.kind) {
      case 'none':
        return
      case 'addLearner':
        this.#avoidedUntilMs.set(step.machine, this.#options.context.clock.monotonicMs() + avoidMs)
        await this.#addLearner(step.machine)
        return
      case 'change':
        await this.#change(step.add, step.remove)
        return
      case 'forget':
        await this.#forget(step.member)
        return
    }
  }

  /** The machine makes its log first: a member in the configuration always has one. */
  async #addLearner(machine: MachineId): Promise<void> {
    const { context, door, peerPort, office } = this.#options
    const record = this.#machines.get(machine)
    if (record === undefined) return
    const address = { host: record.value.address, port: peerPort }
    const { index } = await context.store.member.proposeEmpty()
    const id = memberId(index)
    const calls = await door().callsTo(address)
    assertInOffice(office)
    const answer = await calls.call('member.prepare', { memberId: id }, prepareTimeoutMs)
    this.#options.forgetRuns(machine)
    const incarnation = (answer as { incarnation?: unknown }).incarnation
    if (typeof incarnation !== 'string') throw new Error('the machine named no incarnation')
    const member: MemberRecord = {
      v: 1,
      memberId: id,
      machineId: machine,
      address: formatAddress(address),
      incarnation,
      addedMs: context.clock.wallMs(),
    }
    const message = `${record.value.name} becomes member ${id}`
    await context.store.transact({
      compare: [],
      then: [
        members.put(member, String(id)),
        putEvent(context, { kind: 'member.added', severity: 'info', message, machine }),
      ],
      otherwise: [],
      term: office.term,
    })
    await context.store.member.changeMembers({
      kind: 'simple',
      steps: [{ kind: 'addLearner', id }],
    })
  }

  async #change(add: readonly MemberId[], remove: readonly MemberId[]): Promise<void> {
    const { context, sealFor } = this.#options
    for (const id of add) {
      const machine = this.#members.get(String(id))?.value.machineId
      if (machine !== undefined) await sealFor(machineId(machine))
    }
    const steps: MemberStep[] = [
      ...add.map((id) => ({ kind: 'addVoter', id }) as const),
      ...remove.map((id) => ({ kind: 'remove', id }) as const),
    ]
    // Unlike a transaction, a change of members carries no term: one decided in an earlier term
    // of this same machine must not be taken in a later one.
    assertInOffice(this.#options.office)
    const isSimple = steps.length === 1
    await context.store.member.changeMembers(
      isSimple ? { kind: 'simple', steps } : { kind: 'enterJoint', steps, autoLeave: true },
    )
    const names = (ids: readonly MemberId[]): string => ids.join(', ')
    context.log.info('voters change', { add: names(add), remove: names(remove) })
  }

  async #forget(id: MemberId): Promise<void> {
    const { context, office } = this.#options
    const stored = this.#members.get(String(id))
    if (stored === undefined) return
    await context.store.transact({
      compare: [{ target: 'modRevision', key: stored.key, is: '=', to: stored.modRevision }],
      then: [
        { kind: 'delete', key: stored.key },
        putEvent(context, {
          kind: 'member.removed',
          severity: 'info',
          message: `member ${id} is gone`,
          machine: stored.value.machineId,
        }),
      ],
      otherwise: [],
      term: office.term,
    })
  }
}
