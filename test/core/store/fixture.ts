/** Short words for commands, and a store that counts its log positions by itself. */
import { index, revision, term } from '../../../src/base/ids.ts'
import { utf8, fromUtf8 } from '../../../src/base/bytes.ts'
import { Store, type Applied } from '../../../src/core/store/store.ts'
import type {
  Command,
  Compare,
  EventBatch,
  Operation,
  RangeResult,
} from '../../../src/core/store/types.ts'
import type { HistoryLimits } from '../../../src/core/store/versions.ts'

export const put = (key: string, value = key, lease?: string): Operation =>
  lease === undefined
    ? { kind: 'put', key, value: utf8(value) }
    : { kind: 'put', key, value: utf8(value), lease }

export const del = (key: string, rangeEnd?: string): Operation =>
  rangeEnd === undefined ? { kind: 'delete', key } : { kind: 'delete', key, rangeEnd }

export const get = (key: string, rangeEnd?: string, at?: number): Operation => ({
  kind: 'range',
  range: {
    key,
    ...(rangeEnd === undefined ? {} : { rangeEnd }),
    ...(at === undefined ? {} : { revision: revision(at) }),
  },
})

export const transaction = (
  then: readonly Operation[],
  compare: readonly Compare[] = [],
  otherwise: readonly Operation[] = [],
): Command => ({ kind: 'transaction', transaction: { compare, then, otherwise } })

export const compact = (to: number): Command => ({ kind: 'compact', revision: revision(to) })
export const grant = (id: string, ttlMs = 1000): Command => ({ kind: 'leaseGrant', id, ttlMs })
export const revoke = (id: string, inTerm?: number): Command => ({
  kind: 'leaseRevoke',
  id,
  term: inTerm === undefined ? undefined : term(inTerm),
})

export class Log {
  readonly store: Store
  #index = 0
  constructor(limits?: HistoryLimits) {
    this.store = new Store(limits)
  }

  apply(command: Command, inTerm = 1): Applied {
    this.#index += 1
    return this.store.apply(command, { index: index(this.#index), term: term(inTerm) })
  }

  write(...operations: Operation[]): Applied {
    return this.apply(transaction(operations))
  }
}

/** `key=value` of each item. */
export const itemsOf = (result: RangeResult): string[] =>
  result.items.map(({ key, value }) => `${key}=${fromUtf8(value)}`)

export function read(store: Store, key: string, rangeEnd?: string, at?: number): string[] | string {
  const answer = store.range({
    key,
    ...(rangeEnd === undefined ? {} : { rangeEnd }),
    ...(at === undefined ? {} : { revision: revision(at) }),
  })
  return answer.kind === 'range' ? itemsOf(answer.result) : answer.kind
}

/** `revision: key=new`, one line an event. */
export function eventsOf(batches: readonly EventBatch[]): string[] {
  return batches.flatMap((batch) =>
    batch.events.map((event) => {
      if (event.kind === 'delete') return `${batch.revision}: -${event.key}`
      return `${batch.revision}: ${event.item.key}=${fromUtf8(event.item.value)}`
    }),
  )
}

/** Everything that can be read of a store, for comparing two of them. */
export function everything(store: Store): unknown {
  const past: unknown[] = []
  for (let at = Math.max(1, store.floor); at <= store.revision; at += 1) {
    past.push(store.range({ key: '\0', rangeEnd: '\uffff', revision: revision(at) }))
  }
  const batches: EventBatch[] = []
  for (let from = store.floor; ;) {
    const answer = store.history(from, '\0', '\uffff')
    if (answer.kind === 'compacted') throw new Error('the floor itself can be read')
    batches.push(...answer.batches)
    if (answer.next > store.revision) break
    from = answer.next
  }
  const leases = store.leasesAfter('', Infinity)
  return {
    past,
    batches,
    leases,
    stats: store.stats(),
    at: [store.appliedIndex, store.appliedTerm],
  }
}
