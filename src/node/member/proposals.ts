/**
 * Proposals on their way: gathered for one turn of the loop, given a place in the log, and
 * settled when what stands at that place is applied.
 *
 * Invariant: a proposal is in exactly one of `#gathered`, `#stepped` and `#placed` until it is
 * settled, and is settled once.
 */
import type { JangadaError } from '../../base/errors.ts'
import type { Index, Term } from '../../base/ids.ts'
import type { DropReason, Proposal, ProposalId } from '../../core/raft/types.ts'
import type { ApplyResult } from '../../core/store/types.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import { dropped, outcomeUnknown } from './errors.ts'

/** After this the caller learns that the outcome is unknown. */
export const proposalTimeoutMs = 5000

export interface Committed {
  readonly index: Index
  readonly term: Term
  /** Undefined for an entry without a command, such as a member change. */
  readonly result: ApplyResult | undefined
}

interface Pending {
  /** Where it stands in the log, once it does. */
  place: Index | undefined
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: JangadaError) => void
  readonly timer: Timer
}

interface Placed {
  readonly term: Term
  readonly pending: Pending
}

export class Proposals {
  readonly #clock: Clock
  readonly #stepped = new Map<ProposalId, Pending>()
  readonly #placed = new Map<Index, Placed>()
  #gathered: Proposal[] = []
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A new proposal; the caller steps it (or what `takeGathered` returns) into the core. */
  open(): { readonly id: ProposalId; readonly committed: Promise<Committed> } {
    const id = this.#nextId as ProposalId
    this.#nextId += 1
    const committed = new Promise<Committed>((resolve, reject) => {
      const timer = this.#clock.after(proposalTimeoutMs, () => this.#expire(id, pending))
      const pending: Pending = { place: undefined, resolve, reject, timer }
      this.#stepped.set(id, pending)
    })
    return { id, committed }
  }

  /** True when this was the first of a turn: the caller then arranges for `takeGathered`. */
  gather(proposal: Proposal): boolean {
    this.#gathered.push(proposal)
    return this.#gathered.length === 1
  }

  takeGathered(): readonly Proposal[] {
    const gathered = this.#gathered
    this.#gathered = []
    return gathered
  }

  appended(id: ProposalId, index: Index, term: Term): void {
    const pending = this.#stepped.get(id)
    if (pending === undefined) return
    this.#stepped.delete(id)
    // A later leader's entry may take the place of one whose proposer still waits.
    this.#settleUnknown(index, 'another entry took its place in the log')
    pending.place = index
    this.#placed.set(index, { term, pending })
  }

  dropped(id: ProposalId, reason: DropReason): void {
    const pending = this.#stepped.get(id)
    if (pending === undefined) return
    this.#stepped.delete(id)
    pending.timer.cancel()
    pending.reject(dropped(reason))
  }

  applied(committed: Committed): void {
    const placed = this.#placed.get(committed.index)
    if (placed === undefined) return
    this.#placed.delete(committed.index)
    placed.pending.timer.cancel()
    // Another term's entry at this place means that ours was overwritten: it never happened.
    if (placed.term === committed.term) placed.pending.resolve(committed)
    else placed.pending.reject(dropped('notLeader'))
  }

  /** The state jumped past these places with a snapshot: nobody here saw what stood there. */
  passed(upto: Index): void {
    for (const index of this.#placed.keys()) {
      if (index <= upto) this.#settleUnknown(index, 'this member fell behind and was caught up')
    }
  }

  /** What has entered a log may yet be committed by others: its proposer must not try again. */
  failAll(error: JangadaError): void {
    const gathered = new Set(this.#gathered.map(({ proposalId }) => proposalId))
    for (const [id, pending] of this.#stepped) {
      pending.timer.cancel()
      pending.reject(gathered.has(id) ? error : outcomeUnknown(error.message))
    }
    for (const index of [...this.#placed.keys()]) this.#settleUnknown(index, error.message)
    this.#stepped.clear()
    this.#placed.clear()
    this.#gathered = []
  }

  #settleUnknown(index: Index, why: string): void {
    const placed = this.#placed.get(index)
    if (placed === undefined) return
    this.#placed.delete(index)
    placed.pending.timer.cancel()
    placed.pending.reject(outcomeUnknown(why))
  }

  #expire(id: ProposalId, pending: Pending): void {
    const why = `not committed within ${proposalTimeoutMs} ms`
    if (pending.place !== undefined) this.#settleUnknown(pending.place, why)
    else if (this.#stepped.delete(id)) pending.reject(outcomeUnknown(why))
  }
}
