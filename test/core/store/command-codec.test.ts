import t from 'tap'
import fc from 'fast-check'
import { revision, term } from '../../../src/base/ids.ts'
import {
  commandFormat,
  commandKinds,
  decodeCommand,
  encodeCommand,
} from '../../../src/core/store/command-codec.ts'
import { Store } from '../../../src/core/store/store.ts'
import { type Command, maxValueBytes } from '../../../src/core/store/types.ts'
import { index } from '../../../src/base/ids.ts'

t.test('the log knows these commands and no others', async (t) => {
  t.same(commandKinds, { transaction: 1, leaseGrant: 2, leaseRevoke: 3, compact: 4 })
  for (let kind = 0; kind < 256; kind += 1) {
    const decoded = decodeCommand(Uint8Array.of(commandFormat, kind))
    if (kind > 4 || kind === 0)
      t.same(decoded, { kind: 'malformed', reason: `a command of kind ${kind}` })
    else t.match(decoded, { kind: 'malformed', reason: 'it ends too early' })
  }
})

const key = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((text) => text.isWellFormed())
const bytes = fc.uint8Array({ maxLength: 300 })
const natural = fc.maxSafeNat()
const lease = fc.string({
  minLength: 1,
  maxLength: 24,
  unit: fc.constantFrom('0', '7', 'a', 'f'),
})
const optional = { requiredKeys: ['key'] as ['key'] }
const range = fc.record(
  {
    key,
    rangeEnd: key,
    limit: natural,
    revision: natural.map(revision),
    keysOnly: fc.constant(true),
  },
  optional,
)
const operation = fc.oneof(
  fc.record(
    { kind: fc.constant('put' as const), key, value: bytes, lease },
    { requiredKeys: ['kind', 'key', 'value'] },
  ),
  fc.record(
    { kind: fc.constant('delete' as const), key, rangeEnd: key },
    { requiredKeys: ['kind', 'key'] },
  ),
  fc.record({ kind: fc.constant('range' as const), range }),
)
const compare = fc.oneof(
  fc.record({
    target: fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const),
    key,
    is: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
    to: natural,
  }),
  fc.record({
    target: fc.constant('value' as const),
    key,
    is: fc.constantFrom('=' as const, '!=' as const),
    to: bytes,
  }),
)
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant('transaction' as const),
    transaction: fc.record(
      {
        compare: fc.array(compare, { maxLength: 5 }),
        then: fc.array(operation, { maxLength: 8 }),
        otherwise: fc.array(operation, { maxLength: 8 }),
        term: natural.map(term).filter((value) => value < Number.MAX_SAFE_INTEGER),
      },
      { requiredKeys: ['compare', 'then', 'otherwise'] },
    ),
  }),
  fc.record({ kind: fc.constant('leaseGrant' as const), id: lease, ttlMs: natural }),
  fc.record({
    kind: fc.constant('leaseRevoke' as const),
    id: lease,
    term: fc.option(fc.nat().map(term), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('compact' as const), revision: natural.map(revision) }),
)

t.test('every command comes back as it went', async (t) => {
  fc.assert(
    fc.property(command, (one) => {
      const decoded = decodeCommand(encodeCommand(one))
      t.same(decoded, { kind: 'command', command: one })
    }),
    { numRuns: 300 },
  )
})

t.test('hostile bytes are told apart, or are a command that does no harm', async (t) => {
  const store = new Store()
  let accepted = 0
  fc.assert(
    fc.property(
      command,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(),
      (one, changes, cut) => {
        const encoded = encodeCommand(one)
        for (const [at, byte] of changes) encoded[at % encoded.length] = byte
        const mutated = encoded.subarray(0, cut % 5 === 0 ? cut % encoded.length : encoded.length)
        const decoded = decodeCommand(mutated)
        if (decoded.kind !== 'command') return
        accepted += 1
        store.apply(decoded.command, { index: index(accepted), term: term(1) })
      },
    ),
    { numRuns: 3000 },
  )
  t.ok(accepted > 0)
})

t.test('random bytes never crash it', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      decodeCommand(noise)
      decodeCommand(Uint8Array.of(1, 1, ...noise))
    }),
    { numRuns: 5000 },
  )
})

t.test(
  "a newer format is told as such: passing over it would part this member's state",
  async (t) => {
    t.same(decodeCommand(Uint8Array.of(2, 1, 0, 0)), { kind: 'newerFormat', format: 2 })
    t.match(decodeCommand(Uint8Array.of()), { kind: 'malformed' })
  },
)

t.test(
  'a value that is too long, and is in a log already, is refused and ends nobody',
  async (t) => {
    const value = new Uint8Array(maxValueBytes + 1)
    const transactions = [
      { compare: [], then: [{ kind: 'put', key: 'k', value }] },
      { compare: [{ target: 'value', key: 'k', is: '=', to: value }], then: [] },
    ] as const
    for (const each of transactions) {
      const long = { kind: 'transaction', transaction: { ...each, otherwise: [] } } as const
      const decoded = decodeCommand(encodeCommand(long))
      if (decoded.kind !== 'command') throw new Error(JSON.stringify(decoded))
      const store = new Store()
      const { result } = store.apply(decoded.command, { index: index(1), term: term(1) })
      t.match(result, { kind: 'refused', reason: 'malformed' })
    }
  },
)
