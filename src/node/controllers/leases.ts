/**
 * The leader's part in leases: hears keep-alives, and revokes what ran out. A new leader gives
 * every lease its full time again, because nobody told it of earlier keep-alives (ARCHITECTURE 5).
 */
import { describeError } from '../../base/errors.ts'
import { LeaseDeadlines } from '../../core/store/lease-deadlines.ts'
import type { Command, LeaseId } from '../../core/store/types.ts'
import { sleep } from '../../ports/clock.ts'
import { assertInOffice, type ControllerContext, type Office } from './context.ts'

const longestSleepMs = 500
const revokedTogether = 64

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
    const { store } = context.store.member
    this.#deadlines.reset(store.leases(), context.clock.monotonicMs())
    for (const { id } of store.leases()) if (store.isRevoking(id)) this.#end(id)
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
      this.#deadlines.grant(command.id, command.ttlMs, this.#context.clock.monotonicMs())
    }
  }

  /** False when the lease is gone. Acknowledged, like a pulse, after a quorum has answered. */
  async keepAlive(id: LeaseId): Promise<boolean> {
    const heardAtMs = this.#context.clock.monotonicMs()
    await this.#context.store.member.barrier()
    assertInOffice(this.#office)
    return !this.#ending.has(id) && this.#deadlines.keepAlive(id, heardAtMs)
  }

  #end(id: LeaseId): void {
    this.#ending.add(id)
    this.#deadlines.end(id, this.#context.clock.monotonicMs())
  }

  #forget(id: LeaseId): void {
    this.#deadlines.forget(id)
    this.#ending.delete(id)
  }

  async #run(): Promise<void> {
    const { clock } = this.#context
    const { signal } = this.#office
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
