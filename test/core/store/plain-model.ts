/**
 * The store again, as plainly as it can be said: a copy of all items for each revision, every
 * question answered by looking at all of them. Slow, small, and written without a look at how the
 * store does it.
 */
import { bytesEqual } from '../../../src/base/bytes.ts'
import { revision as toRevision } from '../../../src/base/ids.ts'
import type {
  ApplyResult,
  Command,
  Compare,
  KeyValue,
  Operation,
  OperationResult,
  RangeAnswer,
  RangeRequest,
  RangeResult,
  RefusalReason,
  StoreEvent,
} from '../../../src/core/store/types.ts'

type Items = ReadonlyMap<string, KeyValue>
type Range = { readonly key: string; readonly rangeEnd?: string | undefined }

export class PlainModel {
  /** By revision; the first is the empty store. */
  readonly states: Items[] = [new Map()]
  readonly leases = new Map<string, number>()
  readonly #maxRevisions: number
  floor = 0

  constructor(maxRevisions: number) {
    this.#maxRevisions = maxRevisions
  }

  get revision(): number {
    return this.states.length - 1
  }

  get now(): Items {
    return this.states.at(-1) as Items
  }

  apply(command: Command, term: number): ApplyResult {
    const revision = toRevision(this.revision)
    switch (command.kind) {
      case 'leaseGrant': {
        const { id, ttlMs } = command
        if (this.leases.has(id)) return { kind: 'refused', reason: 'leaseExists', revision }
        this.leases.set(id, ttlMs)
        return { kind: 'leaseGranted', id, ttlMs }
      }
      case 'leaseRevoke': {
        const { id } = command
        const isStale = command.term !== undefined && command.term !== term
        if (isStale) return { kind: 'refused', reason: 'staleTerm', revision }
        if (!this.leases.delete(id)) return { kind: 'refused', reason: 'leaseUnknown', revision }
        const next = new Map([...this.now].filter(([, item]) => item.lease !== id))
        if (next.size < this.now.size) this.#commit(next)
        return { kind: 'leaseRevoked', id, left: 0, revision: toRevision(this.revision) }
      }
      case 'compact':
        if (command.revision > this.revision) {
          return { kind: 'refused', reason: 'futureRevision', revision }
        }
        this.floor = Math.max(this.floor, command.revision)
        return { kind: 'compacted', revision: toRevision(this.floor) }
      default:
        return this.#transact(command.transaction, term)
    }
  }

  range(request: RangeRequest): RangeAnswer {
    const fault = this.#faultOf(request)
    if (fault === 'compacted') return { kind: 'compacted', floor: toRevision(this.floor) }
    const revision = toRevision(this.revision)
    if (fault === 'futureRevision') return { kind: 'futureRevision', revision }
    return { kind: 'range', result: this.#look(request, this.now, this.revision) }
  }

  /** Everything that changed in the range, from a revision that is kept. */
  events(from: number, range: Range): { revision: number; events: StoreEvent[] }[] {
    const told: { revision: number; events: StoreEvent[] }[] = []
    for (let at = Math.max(1, from); at <= this.revision; at += 1) {
      const before = this.states[at - 1] as Items
      const after = this.states[at] as Items
      const keys = [...new Set([...before.keys(), ...after.keys()])].filter((key) =>
        covers(range, key),
      )
      const events = keys.toSorted(byText).flatMap((key): StoreEvent[] => {
        const item = after.get(key)
        if (item === undefined) return [{ kind: 'delete', key, revision: toRevision(at) }]
        return item.modRevision === at ? [{ kind: 'put', item }] : []
      })
      if (events.length > 0) told.push({ revision: at, events })
    }
    return told
  }

  #transact(
    {
      compare,
      then,
      otherwise,
      term: guard,
    }: Extract<Command, { kind: 'transaction' }>['transaction'],
    term: number,
  ): ApplyResult {
    const refused = (reason: RefusalReason): ApplyResult => {
      return { kind: 'refused', reason, revision: toRevision(this.revision) }
    }
    if (writesTwice(then) || writesTwice(otherwise)) return refused('malformed')
    if (guard !== undefined && guard !== term) return refused('staleTerm')
    const succeeded = compare.every((one) => holds(one, this.now.get(one.key)))
    const operations = succeeded ? then : otherwise
    for (const one of operations) {
      const isUnknown = one.kind === 'put' && one.lease !== undefined && !this.leases.has(one.lease)
      if (isUnknown) return refused('leaseUnknown')
      const fault = one.kind === 'range' ? this.#faultOf(one.range) : undefined
      if (fault !== undefined) return refused(fault)
    }
    const next = new Map(this.now)
    let hasWritten = false
    const results = operations.map((one): OperationResult => {
      const at = this.revision + (hasWritten ? 1 : 0)
      if (one.kind === 'range') return { kind: 'range', result: this.#look(one.range, next, at) }
      if (one.kind === 'put') {
        next.set(one.key, this.#written(one, next.get(one.key)))
        hasWritten = true
        return { kind: 'put' }
      }
      const gone = [...next.keys()].filter((key) => covers(one, key))
      for (const key of gone) next.delete(key)
      hasWritten ||= gone.length > 0
      return { kind: 'delete', deleted: gone.length }
    })
    if (hasWritten) this.#commit(next)
    return { kind: 'transaction', succeeded, revision: toRevision(this.revision), results }
  }

  #written(
    { key, value, lease }: Extract<Operation, { kind: 'put' }>,
    before: KeyValue | undefined,
  ): KeyValue {
    const modRevision = toRevision(this.revision + 1)
    const createRevision = before?.createRevision ?? modRevision
    return { key, value, createRevision, modRevision, version: (before?.version ?? 0) + 1, lease }
  }

  #commit(next: Items): void {
    this.states.push(next)
    const kept = this.revision - this.#maxRevisions + 1
    if (kept > Math.max(this.floor, 1)) this.floor = kept
  }

  #look(request: RangeRequest, now: Items, at: number): RangeResult {
    const items = request.revision === undefined ? now : (this.states[request.revision] as Items)
    const found = [...items.values()].filter(({ key }) => covers(request, key))
    const sorted = found.toSorted((a, b) => byText(a.key, b.key))
    const limit = request.limit === undefined || request.limit === 0 ? Infinity : request.limit
    const told = sorted.slice(0, limit).map((item) => {
      return request.keysOnly === true ? { ...item, value: new Uint8Array(0) } : item
    })
    return { revision: toRevision(at), items: told, more: sorted.length > limit }
  }

  #faultOf({ revision }: RangeRequest): 'compacted' | 'futureRevision' | undefined {
    if (revision === undefined) return undefined
    if (revision < this.floor) return 'compacted'
    return revision > this.revision ? 'futureRevision' : undefined
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const covers = ({ key, rangeEnd }: Range, candidate: string): boolean =>
  rangeEnd === undefined ? candidate === key : candidate >= key && candidate < rangeEnd

function writesTwice(operations: readonly Operation[]): boolean {
  const puts = operations.flatMap((one) => (one.kind === 'put' ? [one.key] : []))
  const deletes = operations.filter((one) => one.kind === 'delete')
  const isCovered = (key: string): boolean => deletes.some((one) => covers(one, key))
  return new Set(puts).size < puts.length || puts.some(isCovered)
}

function holds(compare: Compare, item: KeyValue | undefined): boolean {
  if (compare.target === 'value') {
    return (item !== undefined && bytesEqual(item.value, compare.to)) === (compare.is === '=')
  }
  const is = item === undefined ? 0 : item[compare.target]
  const { to } = compare
  return { '=': is === to, '!=': is !== to, '<': is < to, '>': is > to }[compare.is]
}
