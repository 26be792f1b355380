/**
 * `StoreAccess` on a machine that is no member: asks members, one at a time, and turns to the
 * next when one does not answer. It never goes back in time: answers older than the newest
 * revision seen are declined.
 */
import { describeError, isJangadaError, JangadaError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
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
import type { CallStream } from '../wire/calls.ts'
import type { Door } from '../wire/door.ts'
import { CommandStore } from './command-store.ts'
import { formatAddress } from './directory.ts'
import { knownOrUnknown } from './errors.ts'
import { readAlive } from './member-store.ts'
import type { Consistency, MemberView, WatchRequest } from './store-access.ts'

const callTimeoutMs = 6000
/** A call is tried on members in turn for this long; less while nobody has answered lately. */
const patienceMs = 4000
const patienceCutOffMs = 300
const retryMs = 50
/** A member that did not answer is asked after all others for this long. */
const avoidMs = 5000

export interface RemoteStoreOptions {
  readonly door: () => Door
  readonly clock: Clock
  readonly entropy: Entropy
  /** Doors of members, the ones to try first at the front; asked anew for each call. */
  readonly peers: () => readonly StreamAddress[]
}

export class RemoteStore extends CommandStore {
  readonly #options: RemoteStoreOptions
  #seen: Revision = revision(0)
  /** The member that answered last. */
  #preferred: string | undefined
  /** The last call found nobody: those that follow do not wait as long to find that again. */
  #isCutOff = false
  /** Members that failed, and until when they are asked last. At most one entry a member. */
  readonly #avoided = new Map<string, number>()

  constructor(options: RemoteStoreOptions) {
    super(options.entropy)
    this.#options = options
  }

  /** The newest revision that any member has told. */
  get seen(): Revision {
    return this.#seen
  }

  /** A revision that was seen elsewhere: no older answer is taken from now on. */
  noteSeen(at: Revision): void {
    this.#seen = later(this.#seen, at)
  }

  async range(request: RangeRequest, consistency: Consistency): Promise<RangeResult> {
    const result = await this.#ask('store.range', { request, consistency, atLeast: this.#seen })
    return this.#noteRange(result as RangeResult)
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<EventBatch> {
    let { fromRevision } = request
    while (!signal.aborted) {
      const found = await this.#someone(signal)
      if (found === undefined) return
      const { calls, address } = found
      try {
        for await (const item of calls.feed('store.watch', { ...request, fromRevision }, signal)) {
          const batch = item as EventBatch
          this.#seen = later(this.#seen, batch.revision)
          fromRevision = revision(batch.revision + 1)
          yield batch
        }
        return
      } catch (error) {
        // Broken or behind: another member goes on from the same revision.
        if (!isTransient(error)) throw error
        this.#avoid(address)
        await sleep(this.#options.clock, retryMs, signal)
      }
    }
  }

  async leaseKeepAlive(id: LeaseId): Promise<boolean> {
    return readAlive(await this.#ask('lease.keepAlive', { id }))
  }

  async leaseList(after: LeaseId): Promise<LeaseListing> {
    return (await this.#ask('lease.list', { after })) as LeaseListing
  }

  async view(): Promise<MemberView> {
    const view = (await this.#ask('store.view', {})) as MemberView
    return { ...view, memberId: undefined, role: 'client' }
  }

  protected override async propose(command: Command): Promise<ApplyResult> {
    const body = { command: encodeCommand(command) }
    const result = (await knownOrUnknown(this.#ask('store.propose', body))) as ApplyResult
    // Who wrote it reads it back, whichever member is asked next.
    if ('revision' in result) this.noteSeen(result.revision)
    return result
  }

  #noteRange(result: RangeResult): RangeResult {
    this.#seen = later(this.#seen, result.revision)
    return result
  }

  /** Asks members in turn. A write whose outcome is unknown is never repeated. */
  async #ask(method: string, body: unknown): Promise<unknown> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + (this.#isCutOff ? patienceCutOffMs : patienceMs)
    let last: unknown
    for (;;) {
      for (const address of this.#order()) {
        try {
          const calls = await this.#options.door().callsTo(address)
          const answer = await calls.call(method, body, callTimeoutMs)
          this.#preferred = formatAddress(address)
          this.#isCutOff = false
          return answer
        } catch (error) {
          last = error
          const unknown = isJangadaError(error, 'JGD_OUTCOME_UNKNOWN')
          if (isTransient(error)) this.#avoid(address)
          if (!isTransient(error) || (unknown && method === 'store.propose')) throw error
        }
      }
      if (clock.monotonicMs() >= deadlineMs) break
      await sleep(clock, retryMs)
    }
    this.#isCutOff = true
    if (isJangadaError(last, 'JGD_NO_QUORUM')) throw last
    const cause = last === undefined ? 'no member is known' : describeError(last)
    throw new JangadaError('JGD_UNREACHABLE', `no member answers: ${cause}`, { cause: last })
  }

  async #someone(
    signal: AbortSignal,
  ): Promise<{ readonly calls: CallStream; readonly address: StreamAddress } | undefined> {
    while (!signal.aborted) {
      for (const address of this.#order()) {
        try {
          const calls = await this.#options.door().callsTo(address)
          this.#preferred = formatAddress(address)
          return { calls, address }
        } catch (error) {
          if (!isTransient(error)) throw error
          this.#avoid(address)
        }
      }
      await sleep(this.#options.clock, retryMs, signal)
    }
    return undefined
  }

  #avoid(address: StreamAddress): void {
    const name = formatAddress(address)
    if (this.#preferred === name) this.#preferred = undefined
    const nowMs = this.#options.clock.monotonicMs()
    for (const [other, untilMs] of this.#avoided) if (untilMs <= nowMs) this.#avoided.delete(other)
    this.#avoided.set(name, nowMs + avoidMs)
  }

  /** The one that answered last first, those that failed lately last. */
  #order(): readonly StreamAddress[] {
    const nowMs = this.#options.clock.monotonicMs()
    const rank = (address: StreamAddress): number => {
      const name = formatAddress(address)
      if (name === this.#preferred) return 0
      return (this.#avoided.get(name) ?? 0) > nowMs ? 2 : 1
    }
    return this.#options.peers().toSorted((a, b) => rank(a) - rank(b))
  }
}

const later = (a: Revision, b: Revision): Revision => (a > b ? a : b)

/** Another member may do better. */
const isTransient = (error: unknown): boolean =>
  isJangadaError(error, 'JGD_UNREACHABLE') ||
  isJangadaError(error, 'JGD_OUTCOME_UNKNOWN') ||
  isJangadaError(error, 'JGD_NOT_LEADER') ||
  isJangadaError(error, 'JGD_NO_QUORUM') ||
  isJangadaError(error, 'JGD_SHUTTING_DOWN')
