/**
 * Every answer of the store against the plain model's: what each command of random shape yields,
 * ranges of random shape at random revisions, and what a watch from any revision is told.
 */
import fc from 'fast-check'
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { revision, term } from '../../../src/base/ids.ts'
import { decodeCommand, encodeCommand } from '../../../src/core/store/command-codec.ts'
import type {
  Command,
  Compare,
  EventBatch,
  Operation,
  RangeRequest,
  Transaction,
} from '../../../src/core/store/types.ts'
import { compact, grant, Log, revoke } from './fixture.ts'
import { PlainModel } from './plain-model.ts'

const maxRevisions = 15

const key = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/1', 'c', '\u{1f600}', '\ufffd')
const end = fc.constantFrom(undefined, undefined, 'a0', 'b', 'b0', '\uffff', '')
const value = fc.constantFrom('', '1', '2', '\0', 'long'.repeat(20)).map(utf8)
const lease = fc.constantFrom(undefined, undefined, undefined, 'l1', 'l2', 'l3')
const small = fc.nat(30)

const defined = <T extends object>(all: T): T =>
  Object.fromEntries(Object.entries(all).filter(([, one]) => one !== undefined)) as T

const rangeRequest: fc.Arbitrary<RangeRequest> = fc
  .record({
    key,
    rangeEnd: end,
    limit: fc.constantFrom(undefined, 0, 1, 2, 3),
    revision: fc.option(small.map(revision), { nil: undefined, freq: 2 }),
    keysOnly: fc.constantFrom(undefined, true, undefined),
  })
  .map((one) => defined(one) as RangeRequest)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({ kind: fc.constant('put' as const), key, value, lease })
      .map((one) => defined(one) as Operation),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ kind: fc.constant('delete' as const), key, rangeEnd: end })
      .map((one) => defined(one) as Operation),
  },
  {
    weight: 1,
    arbitrary: rangeRequest.map((range): Operation => ({ kind: 'range', range })),
  },
)

const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    target: fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const),
    key,
    is: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
    to: fc.nat(6),
  }),
  fc.record({
    target: fc.constant('value' as const),
    key,
    is: fc.constantFrom('=' as const, '!=' as const),
    to: value,
  }),
)

const branch = fc.array(operation, { maxLength: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        compare: fc.array(compare, { maxLength: 2 }),
        then: branch,
        otherwise: branch,
        term: fc.constantFrom(undefined, undefined, undefined, term(1), term(2)),
      })
      .map((one): Command => ({ kind: 'transaction', transaction: defined(one) as Transaction })),
  },
  { weight: 2, arbitrary: small.map(compact) },
  { weight: 2, arbitrary: fc.constantFrom('l1', 'l2', 'l3').map((id) => grant(id)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('l1', 'l2', 'l3'), fc.constantFrom(undefined, 1, 2))
      .map(([id, at]) => revoke(id, at)),
  },
)

type Step =
  | { readonly kind: 'command'; readonly command: Command; readonly inTerm: 0 | 1 }
  | { readonly kind: 'range'; readonly range: RangeRequest }
  | { readonly kind: 'watch'; readonly from: number; readonly range: RangeRequest }
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        command,
        fc.nat(30).map((n) => (n === 0 ? 1 : 0)),
      )
      .map(([one, inTerm]): Step => ({ kind: 'command', command: one, inTerm })),
  },
  { weight: 2, arbitrary: rangeRequest.map((range): Step => ({ kind: 'range', range })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.nat(15), rangeRequest)
      .map(([from, range]): Step => ({ kind: 'watch', from, range })),
  },
)

/** As the log carries it. */
function throughBytes(one: Command): Command {
  const decoded = decodeCommand(encodeCommand(one))
  if (decoded.kind !== 'command') throw new Error(decoded.kind)
  return decoded.command
}

t.test('the store answers everything as the plain model does', async (t) => {
  const seen = new Map<string, number>()
  const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 90, size: 'max' }), (steps) => {
      const log = new Log({ maxRevisions, maxBytes: 100_000_000 })
      const model = new PlainModel(maxRevisions)
      let inTerm = 1
      for (const one of steps) {
        if (one.kind === 'command') {
          inTerm += one.inTerm
          const expected = model.apply(one.command, inTerm)
          const { result, batch } = log.apply(throughBytes(one.command), inTerm)
          t.same(result, expected)
          note(result.kind === 'refused' ? result.reason : result.kind)
          const everything = { key: '\0', rangeEnd: '\uffff\uffff' }
          const told = batch === undefined ? [] : model.events(model.revision, everything)
          t.same(batch === undefined ? [] : [batch], told)
        } else if (one.kind === 'range') {
          t.same(log.store.range(one.range), model.range(one.range))
        } else {
          const told = readAll(log, one.from, one.range)
          if (told === 'compacted') t.ok(one.from < model.floor)
          else t.same(told, model.events(one.from, one.range))
          note(told === 'compacted' ? 'watch too late' : 'watch')
        }
        t.same([log.store.revision, log.store.floor], [model.revision, model.floor])
      }
      t.same(
        log.store.leaseRows('').leases,
        [...model.leases]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([id, ttlMs]) => {
            const keys = [...model.now.values()].filter((item) => item.lease === id).length
            return { id, ttlMs, keys }
          }),
      )
    }),
    { numRuns: 150 },
  )
  const kinds = ['transaction', 'leaseGranted', 'leaseRevoked', 'compacted', 'watch']
  const refusals = ['staleTerm', 'leaseUnknown', 'leaseExists', 'futureRevision', 'malformed']
  for (const what of [...kinds, ...refusals, 'watch too late']) {
    t.ok((seen.get(what) ?? 0) > 2, `${what}: ${seen.get(what)}`)
  }
})

function readAll(log: Log, from: number, range: RangeRequest): EventBatch[] | 'compacted' {
  const batches: EventBatch[] = []
  for (let at = from; ;) {
    const answer = log.store.history(revision(at), range.key, range.rangeEnd)
    if (answer.kind === 'compacted') return 'compacted'
    batches.push(...answer.batches)
    if (answer.next > log.store.revision) return batches
    at = answer.next
  }
}
