/**
 * The leader's part in leases: hears keep-alives, and revokes what ran out. A new leader gives
 * every lease its full time again, because nobody told it of earlier keep-alives (ARCHITECTURE 5).
 */
import { describeError } from '../../base/errors.ts'
import { LeaseDeadlines } from '../../core/store/lease-deadlines.ts'
import type { Store } from '../../core/store/store.ts'
import type { Command, Lease, LeaseId } from '../../core/store/types.ts'
import { sleep } from '../../ports/clock.ts'
import { assertInOffice, type ControllerContext, type Office } from './context.ts'

const longestSleepMs = 500
const revokedTogether = 64
/** A millisecond's work, about. */
const takenOverTogether = 1000

export class LeaseKeeper {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #deadlines = new LeaseDeadlines()
  /** Leases whose end is decided, and perhaps not written yet: nobody keeps them alive. */
  readonly #ending = new Set<LeaseId>()

  /** Takes office over the leases that the store holds now. */
  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    this.#office = office
    void this.#run()
  }

  /** Each command as it is applied. */
  applied(command: Command): void {
    if (command.kind === 'leaseRevoke') {
      const { store } = this.#context.store.member
      // Its keys go a part at a time: whoever began may not be there to go on.
      if (store.isRevoking(command.id)) this.#end(command.id)
      else if (store.lease(command.id) === undefined) this.#forget(command.id)
    } else if (command.kind === 'leaseGrant') {
      this.#begin(command)
    }
  }

  /** False when the lease is gone. Acknowledged, like a pulse, after a quorum has answered. */
  async keepAlive(id: LeaseId): Promise<boolean> {
    const heardAtMs = this.#context.clock.monotonicMs()
    await this.#context.store.member.barrier()
    assertInOffice(this.#office)
    const lease = this.#context.store.member.store.lease(id)
    // Its turn in the taking over is yet to come, so its full time begins now.
    if (lease !== undefined && !this.#deadlines.has(id)) this.#begin(lease)
    return !this.#ending.has(id) && this.#deadlines.keepAlive(id, heardAtMs)
  }

  #begin({ id, ttlMs }: Lease): void {
    this.#deadlines.grant(id, ttlMs, this.#context.clock.monotonicMs())
  }

  #end(id: LeaseId): void {
    this.#ending.add(id)
    this.#deadlines.end(id, this.#context.clock.monotonicMs())
  }

  #forget(id: LeaseId): void {
    this.#deadlines.forget(id)
    this.#ending.delete(id)
  }

  /**
   * In parts, because the loop has pulses and writes to see to. What is granted, kept alive or
   * revoked meanwhile is known already when its turn comes, or gone.
   */
  async #takeOver(): Promise<void> {
    const { clock, store } = this.#context
    const { signal } = this.#office
    for (let after: LeaseId | undefined = ''; after !== undefined && !signal.aborted;) {
      const held: Store = store.member.store
      const part = held.leasesAfter(after, takenOverTogether)
      for (const lease of part) {
        if (this.#deadlines.has(lease.id)) continue
        if (held.isRevoking(lease.id)) this.#end(lease.id)
        else this.#begin(lease)
      }
      after = part.length < takenOverTogether ? undefined : part.at(-1)?.id
      if (after !== undefined) await sleep(clock, 0, signal)
    }
  }

  /** No lease ends before all have their full time: the first would have less than the last. */
  async #run(): Promise<void> {
    const { clock } = this.#context
    const { signal } = this.#office
    await this.#takeOver()
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs()
      const expired = this.#deadlines.expired(nowMs, revokedTogether)
      await Promise.all(expired.map((id) => this.#revoke(id)))
      const wakeMs = this.#deadlines.nextWakeMs() ?? Infinity
      const waitMs = Math.min(longestSleepMs, wakeMs - clock.monotonicMs())
      await sleep(clock, Math.max(1, waitMs), signal)
    }
  }

  /** A part of its keys, or the last of them: `applied` sees to what is left. */
  async #revoke(id: LeaseId): Promise<void> {
    const { store, log } = this.#context
    const { term } = this.#office
    this.#ending.add(id)
    try {
      const { result } = await store.member.propose({ kind: 'leaseRevoke', id, term })
      if (result?.kind === 'refused') this.#forget(id)
    } catch (error) {
      log.debug('a lease was not revoked', { cause: describeError(error) })
    }
  }
}
