/**
 * `StoreAccess` over one real store with real watches and no consensus: what it is told is
 * committed at once. Leadership is what the test says it is.
 */
import { toHex } from '../../src/base/bytes.ts'
import { JangadaError } from '../../src/base/errors.ts'
import { index, memberId, term } from '../../src/base/ids.ts'
import { Store } from '../../src/core/store/store.ts'
import type { ApplyResult, Command, Operation } from '../../src/core/store/types.ts'
import { refused } from '../../src/node/member/errors.ts'
import type { MemberView, StoreAccess } from '../../src/node/member/store-access.ts'
import { QuotaGate } from '../../src/node/member/quota-gate.ts'
import { rangeInParts } from '../../src/node/member/range-in-parts.ts'
import { WatchHub } from '../../src/node/member/watch-hub.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { kernelEntropy } from '../../src/platform/entropy.ts'

export class LocalStore implements StoreAccess {
  readonly store = new Store()
  readonly #hub = new WatchHub(() => this.store)
  readonly #gate = new QuotaGate(() => this.store, systemClock())
  readonly #entropy = kernelEntropy()
  readonly #leases = new Set<string>()
  /** Log position: one command an entry. */
  #index = 0
  /** A test may take the quorum away, or the whole cluster. */
  leadership: Omit<MemberView, 'revision'> = {
    memberId: memberId(1),
    role: 'leader',
    term: term(1),
    leader: memberId(1),
    staleForMs: 0,
    hasQuorum: true,
    voters: [memberId(1)],
    leaderMachine: undefined,
  }
  isReachable = true

  apply(command: Command): ApplyResult {
    this.#index += 1
    const position = { index: index(this.#index), term: this.leadership.term }
    const { result, batch } = this.store.apply(command, position)
    if (batch !== undefined) this.#hub.publish(batch)
    else if (result.kind === 'compacted') this.#hub.compacted()
    if (result.kind === 'refused') throw refused(result.reason)
    return result
  }

  /** For tests that set the scene. */
  put(...operations: readonly Operation[]): void {
    this.apply({
      kind: 'transaction',
      transaction: { compare: [], then: operations, otherwise: [] },
    })
  }

  transact: StoreAccess['transact'] = async (transaction) => {
    this.#requireQuorum()
    this.#gate.check({ kind: 'transaction', transaction })
    const result = this.apply({ kind: 'transaction', transaction })
    if (result.kind !== 'transaction') throw new Error(`a ${result.kind} for a transaction`)
    return result
  }

  range: StoreAccess['range'] = async (request, consistency) => {
    if (consistency === 'linearizable') this.#requireQuorum()
    this.#requireReachable()
    return rangeInParts(() => this.store, request, systemClock())
  }

  watch: StoreAccess['watch'] = (request, signal) => this.#hub.watch(request, signal)

  leaseGrant: StoreAccess['leaseGrant'] = async (ttlMs) => {
    const id = toHex(this.#entropy.bytes(12))
    this.#gate.check({ kind: 'leaseGrant', id, ttlMs })
    this.apply({ kind: 'leaseGrant', id, ttlMs })
    this.#leases.add(id)
    return id
  }

  leaseRevoke: StoreAccess['leaseRevoke'] = async (id) => {
    let left = 1
    while (left > 0) {
      const result = this.apply({ kind: 'leaseRevoke', id, term: undefined })
      left = result.kind === 'leaseRevoked' ? result.left : 0
    }
    this.#leases.delete(id)
  }

  leaseKeepAlive: StoreAccess['leaseKeepAlive'] = async (id) => this.#leases.has(id)

  leaseList: StoreAccess['leaseList'] = async (after) => this.store.leaseRows(after)

  compact: StoreAccess['compact'] = async (revision) => {
    this.apply({ kind: 'compact', revision })
  }

  view: StoreAccess['view'] = async () => {
    this.#requireReachable()
    return { room: this.#gate.room(), ...this.leadership, revision: this.store.revision }
  }

  #requireQuorum(): void {
    this.#requireReachable()
    if (this.leadership.hasQuorum) return
    throw new JangadaError('JGD_NO_QUORUM', 'no leader with a quorum of voters is known')
  }

  #requireReachable(): void {
    if (!this.isReachable) throw new JangadaError('JGD_UNREACHABLE', 'no member answers')
  }
}
