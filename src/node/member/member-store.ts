/** `StoreAccess` on a member: reads its own store, proposes here or on the leader's machine. */
import { JangadaError } from '../../base/errors.ts'
import { type MemberId, noMember } from '../../base/ids.ts'
import { members } from '../../core/records/keyspace.ts'
import { encodeCommand } from '../../core/store/command-codec.ts'
import type {
  ApplyResult,
  Command,
  EventBatch,
  LeaseId,
  LeaseListing,
  RangeRequest,
  RangeResult,
} from '../../core/store/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { StreamAddress } from '../../ports/streams.ts'
import type { Door } from '../wire/door.ts'
import { CommandStore } from './command-store.ts'
import { type KnownMember, MemberDirectory } from './directory.ts'
import { knownOrUnknown, noQuorum } from './errors.ts'
import { requireLevelOf } from './feature-gate.ts'
import type { Member } from './member.ts'
import type { Committed } from './proposals.ts'
import { QuotaGate } from './quota-gate.ts'
import { rangeInParts } from './range-in-parts.ts'
import type { Consistency, MemberView, WatchRequest } from './store-access.ts'

/** A write waits this long for somebody to lead. */
const leaderWaitMs = 3000
/** Between two tries while nothing is heard of a leader. */
const retryMs = 25
/** Longer than a proposal's own time, so that its answer comes first. */
const forwardTimeoutMs = 6000
/** The leader counts as known for reads and health while it was heard this recently. */
const freshMs = 1000

export interface MemberStoreOptions {
  readonly member: Member
  readonly door: () => Door
  readonly clock: Clock
  readonly entropy: Entropy
  /** Hears keep-alives while this member leads; undefined while it does not. */
  readonly keeper: () => ((id: LeaseId) => Promise<boolean>) | undefined
}

/** The answer to `lease.keepAlive`. */
export const readAlive = (answer: unknown): boolean =>
  (answer as { alive?: unknown } | null)?.alive === true

export class MemberStore extends CommandStore {
  readonly gate: QuotaGate
  readonly #member: Member
  readonly #door: () => Door
  readonly #clock: Clock
  readonly #keeper: MemberStoreOptions['keeper']
  readonly #directory = new MemberDirectory()
  /** Aborted, and begun anew, whenever who leads is seen to change. */
  #led = new AbortController()

  constructor(options: MemberStoreOptions) {
    super(options.entropy)
    this.#member = options.member
    this.#door = options.door
    this.#clock = options.clock
    this.#keeper = options.keeper
    this.gate = new QuotaGate(() => this.#member.store, options.clock)
  }

  get member(): Member {
    return this.#member
  }

  /** Writes that wait for somebody to lead are tried at once, before a new leader has more to do. */
  leadershipChanged(): void {
    this.#led.abort()
    this.#led = new AbortController()
  }

  async range(request: RangeRequest, consistency: Consistency): Promise<RangeResult> {
    if (consistency === 'linearizable') await this.#member.barrier()
    return rangeInParts(() => this.#member.store, request, this.#clock)
  }

  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<EventBatch> {
    return this.#member.watch(request, signal)
  }

  async leaseKeepAlive(id: LeaseId): Promise<boolean> {
    const keeper = this.#keeper()
    if (keeper !== undefined) return keeper(id)
    const { leader } = this.#member.leadership
    // A leader that is not in office yet would only ask itself.
    const isElsewhere = leader !== noMember && leader !== this.#member.id
    const address = isElsewhere ? this.addressOf(leader) : undefined
    if (address === undefined) throw noQuorum()
    const calls = await this.#door().callsTo(address)
    return readAlive(await calls.call('lease.keepAlive', { id }, forwardTimeoutMs))
  }

  async leaseList(after: LeaseId): Promise<LeaseListing> {
    await this.#member.barrier()
    return this.#member.store.leaseRows(after)
  }

  view(): Promise<MemberView> {
    const { leadership, staleForMs, id, store } = this.#member
    const leader = leadership.leader === noMember ? undefined : leadership.leader
    const role = leadership.role === 'preCandidate' ? 'candidate' : leadership.role
    const { voters, outgoing } = this.#member.status().config
    return Promise.resolve({
      memberId: id,
      role,
      term: leadership.term,
      leader,
      staleForMs,
      hasQuorum: leader !== undefined && staleForMs < freshMs,
      revision: store.revision,
      voters: [...new Set([...voters, ...outgoing])],
      leaderMachine: this.knownMembers().find((known) => known.id === leader)?.machineId,
      room: this.gate.room(),
    })
  }

  /** Everyone the store names; also those that are no longer in the configuration. */
  knownMembers(): KnownMember[] {
    const answer = this.#member.store.range(members.range)
    return answer.kind === 'range' ? this.#directory.read(answer.result.items) : []
  }

  /** Asked for each write that goes to the leader, so a record is read once and not each time. */
  addressOf(id: MemberId): StreamAddress | undefined {
    const item = this.#member.store.get(members.key(String(id)))
    return item === undefined ? undefined : this.#directory.readOne(item)?.address
  }

  /**
   * Into this member's own log, if it leads and there is room. Rejects as `Member.propose`, or
   * with JGD_STORE_FULL or JGD_FEATURE_LEVEL.
   */
  async proposeHere(command: Command): Promise<Committed> {
    requireLevelOf(command, this.#member.store)
    // Who does not lead refuses anyway, and may be too far behind to say why.
    if (this.#member.leadership.role === 'leader') this.gate.check(command)
    return this.#member.propose(command)
  }

  /** Waits for a leader; a guarded command goes nowhere else than this member's own log. */
  protected override async propose(command: Command): Promise<ApplyResult> {
    const guarded =
      (command.kind === 'transaction' && command.transaction.term !== undefined) ||
      (command.kind === 'leaseRevoke' && command.term !== undefined)
    const deadlineMs = this.#clock.monotonicMs() + leaderWaitMs
    for (;;) {
      try {
        return await this.#proposeOnce(command, guarded)
      } catch (error) {
        const again = error instanceof JangadaError && retriable.has(error.code)
        if (!again || guarded) throw error
        if (this.#clock.monotonicMs() >= deadlineMs) throw noQuorum()
        await sleep(this.#clock, retryMs, this.#led.signal)
      }
    }
  }

  async #proposeOnce(command: Command, guarded: boolean): Promise<ApplyResult> {
    const { leader, role } = this.#member.leadership
    if (role === 'leader' || guarded) {
      const { result } = await this.proposeHere(command)
      if (result === undefined) throw new JangadaError('JGD_INTERNAL', 'a command has a result')
      return result
    }
    const address = leader === noMember ? undefined : this.addressOf(leader)
    if (address === undefined) throw new JangadaError('JGD_NOT_LEADER', 'no leader is known')
    const calls = await this.#door().callsTo(address)
    const body = { command: encodeCommand(command) }
    const answer = await knownOrUnknown(calls.call('store.propose', body, forwardTimeoutMs))
    return answer as ApplyResult
  }
}

/** In each of these nothing has happened, so the write may be tried again. */
const retriable: ReadonlySet<string> = new Set(['JGD_NOT_LEADER', 'JGD_UNREACHABLE'])
