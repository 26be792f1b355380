/**
 * A member that is not at work, and whose log is whole, counts as one that comes back: of a machine
 * that says it has none, the leader makes a new one, and the log that was kept would be set aside.
 * But not for ever, because meanwhile nobody takes its place.
 */
import { type MemberId, noMember } from '../../base/ids.ts'
import type { Clock, Timer } from '../../ports/clock.ts'

export const claimMs = 600_000

export class Claim {
  readonly #clock: Clock
  #member: MemberId = noMember
  /** Of whom, also when it has run out: it does not begin again. */
  #last: { readonly id: MemberId; readonly timer: Timer } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `noMember` when there is none. */
  get member(): MemberId {
    return this.#member
  }

  begin(id: MemberId): void {
    if (this.#last?.id === id) return
    this.end()
    this.#member = id
    const timer = this.#clock.after(claimMs, () => {
      this.#member = noMember
    })
    this.#last = { id, timer }
  }

  /** The member is at work, or its log is none any more. */
  end(): void {
    this.#last?.timer.cancel()
    this.#last = undefined
    this.#member = noMember
  }
}
