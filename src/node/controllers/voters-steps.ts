/** Carries out one step of `core/voters`, and says in an event what was done and why. */
import { JangadaError } from '../../base/errors.ts'
import { type MachineId, machineId, type MemberId, memberId } from '../../base/ids.ts'
import { members } from '../../core/records/keyspace.ts'
import type { MachineRecord, MemberRecord } from '../../core/records/schemas.ts'
import type { VotersStep } from '../../core/voters/view.ts'
import type { MemberStep } from '../../core/raft/types.ts'
import { sleep } from '../../ports/clock.ts'
import { formatAddress } from '../member/directory.ts'
import type { RecordView } from '../member/follow.ts'
import type { Door } from '../wire/door.ts'
import { assertInOffice, type ControllerContext, type Office, putEvent } from './context.ts'

const prepareTimeoutMs = 5000
/** An election timeout and some: who has not taken the lead by then is asked again. */
const transferWaitMs = 400
const transferLookMs = 10

export interface VotersOptions {
  readonly context: ControllerContext
  readonly office: Office
  readonly door: () => Door
  readonly peerPort: number
  /** The highest feature level of this machine's own binary. */
  readonly featureLevel: number
  /** The member a machine says it runs, once that is sure; see `LivenessController.runs`. */
  readonly runs: (machine: MachineId) => number | undefined
  readonly forgetRuns: (machine: MachineId) => void
  /** The cluster's secrets, sealed to a machine that is about to vote. */
  readonly sealFor: (machine: MachineId) => Promise<void>
}

type Step<Kind extends VotersStep['kind']> = Extract<VotersStep, { kind: Kind }>

export class VotersSteps {
  readonly #options: VotersOptions
  readonly #machines: RecordView<MachineRecord, [string]>
  readonly #members: RecordView<MemberRecord, [string]>

  constructor(
    options: VotersOptions,
    machines: RecordView<MachineRecord, [string]>,
    known: RecordView<MemberRecord, [string]>,
  ) {
    this.#options = options
    this.#machines = machines
    this.#members = known
  }

  /** The machine makes its log first: a member in the configuration always has one. */
  async addLearner({ machine, why }: Step<'addLearner'>): Promise<void> {
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
    const message = `${record.value.name} begins as member ${id}: ${why}`
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

  async change({ add, demote, remove, why }: Step<'change'>): Promise<void> {
    const { context, sealFor, office } = this.#options
    for (const id of add) {
      const machine = this.#members.get(String(id))?.value.machineId
      if (machine !== undefined) await sealFor(machineId(machine))
    }
    const steps: MemberStep[] = [
      ...add.map((id) => ({ kind: 'addVoter', id }) as const),
      ...demote.map((id) => ({ kind: 'addLearner', id }) as const),
      ...remove.map((id) => ({ kind: 'remove', id }) as const),
    ]
    // Unlike a transaction, a change of members carries no term: one decided in an earlier term
    // of this same machine must not be taken in a later one.
    assertInOffice(office)
    const isSimple = steps.length === 1
    await context.store.member.changeMembers(
      isSimple ? { kind: 'simple', steps } : { kind: 'enterJoint', steps, autoLeave: true },
    )
    context.log.info('voters change', { add, demote, remove, why })
    await this.tell('voters.changed', why, [...add, ...demote, ...remove][0])
  }

  /** Resolves when another leads, or when the time for that is over. */
  async transfer({ to, why }: Step<'transfer'>): Promise<void> {
    const { context, office } = this.#options
    const { member } = context.store
    await this.tell('leader.transfer', `${this.#nameOf(to)} is to lead: ${why}`, to)
    assertInOffice(office)
    member.transferTo(to)
    const untilMs = context.clock.monotonicMs() + transferWaitMs
    while (!office.signal.aborted && context.clock.monotonicMs() < untilMs) {
      await sleep(context.clock, transferLookMs, office.signal)
    }
  }

  async forget(id: MemberId): Promise<void> {
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
          message: `${this.#nameOf(id)} is member ${id} no more`,
          machine: stored.value.machineId,
        }),
      ],
      otherwise: [],
      term: office.term,
    })
  }

  /** The change itself may end this office: then its event is the next leader's to miss. */
  async tell(kind: string, message: string, about: MemberId | undefined): Promise<void> {
    const { context, office } = this.#options
    const machine = this.#members.get(String(about))?.value.machineId ?? ''
    try {
      await context.store.transact({
        compare: [],
        then: [putEvent(context, { kind, severity: 'info', message, machine })],
        otherwise: [],
        term: office.term,
      })
    } catch (error) {
      if (!(error instanceof JangadaError)) throw error
      context.log.info('an event was not written', { kind, message, code: error.code })
    }
  }

  #nameOf(id: MemberId): string {
    const machine = this.#members.get(String(id))?.value.machineId
    const name = machine === undefined ? undefined : this.#machines.get(machine)?.value.name
    return name ?? `member ${id}`
  }
}
