import t from 'tap'
import fc from 'fast-check'
import { index, memberId, term } from '../../../src/base/ids.ts'
import type { Entry } from '../../../src/core/raft/types.ts'
import { decodeEntries, encodeEntries } from '../../../src/node/wal/entry-codec.ts'

const head = { index: fc.maxSafeNat().map(index), term: fc.maxSafeNat().map(term) }
const step = fc.record({
  kind: fc.constantFrom(
    'addVoter' as const,
    'addLearner' as const,
    'remove' as const,
    'update' as const,
  ),
  id: fc.maxSafeNat().map(memberId),
})
const steps = fc.array(step, { maxLength: 8 })
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant('normal' as const), ...head, data: fc.uint8Array() }),
  fc.record({
    kind: fc.constant('config' as const),
    ...head,
    change: fc.oneof(
      fc.record({ kind: fc.constant('simple' as const), steps }),
      fc.record({ kind: fc.constant('enterJoint' as const), steps, autoLeave: fc.boolean() }),
      fc.record({ kind: fc.constant('leaveJoint' as const) }),
    ),
  }),
)

t.test('entries come back as they went', async (t) => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      t.same(decodeEntries(encodeEntries(entries)), entries)
    }),
  )
})

t.test('bytes from a peer that are no entries are refused, and crash nothing', async (t) => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 5 }), fc.nat(), fc.nat(255), (entries, at, byte) => {
      const bytes = encodeEntries(entries).slice()
      t.equal(decodeEntries(bytes.subarray(0, -1)), undefined)
      bytes[at % bytes.length] = byte
      decodeEntries(bytes)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
      decodeEntries(noise)
    }),
    { numRuns: 2000 },
  )
})
