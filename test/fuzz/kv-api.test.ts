/**
 * Requests to `/v1/kv` of every shape, sense and nonsense: each is answered or refused with a code,
 * none is a mistake of ours, and none ever changes a key of the system.
 */
import fc from 'fast-check'
import t from 'tap'
import { errorCodes } from '../../src/base/errors.ts'
import { machine, ids, makeNode, type Node } from '../node/api/fixture.ts'

const key = fc.oneof(
  fc.constantFrom(
    'a',
    'a/b',
    '',
    '\0',
    '/jangada',
    '/jangada/',
    '/jangada0',
    '/jangada/x',
    '/',
    '~',
  ),
  fc.constantFrom('\ud800', '\udfff', '\u{10ffff}', '\uffff', 'k'.repeat(1024), 'k'.repeat(1025)),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const value = fc.oneof(fc.constantFrom('', 'x', '/wD+', '='), fc.string({ unit: 'binary' }))
const encoding = fc.constantFrom(undefined, 'utf8', 'base64', 'hex')
const number = fc.constantFrom(undefined, 0, 1, 3, -1, 1.5, 1e15, Number.MAX_SAFE_INTEGER, 2 ** 60)
const text = (some: number | undefined): string | undefined => some?.toString()
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
const lease = fc.constantFrom(undefined, undefined, 'none', '', 'l'.repeat(65))

/** Mostly one of the ways to say which keys are meant. */
const where = fc.oneof(
  fc.record({ key }),
  fc.record({ prefix: key }),
  fc.record({ from: key, end: maybe(key) }),
  fc.record({ key: maybe(key), prefix: maybe(key), from: maybe(key), end: maybe(key) }),
)
const operation = fc.oneof(
  fc.tuple(where, value).map(([at, one]) => ({ op: 'put', ...at, value: one })),
  where.map((at) => ({ op: 'delete', ...at })),
  where.map((at) => ({ op: 'get', ...at })),
  fc.record({
    op: fc.constantFrom('put', 'delete', 'get', 'drop'),
    key: maybe(key),
    value: maybe(value),
    encoding,
    lease,
    limit: number,
    revision: number,
    keysOnly: fc.constantFrom(undefined, true),
  }),
)
const compare = fc.record(
  {
    key,
    target: fc.constantFrom('value', 'version', 'modRevision', 'colour'),
    is: fc.constantFrom('=', '!=', '<', '>', undefined),
    to: fc.oneof(value, number, fc.constant(null)),
    encoding,
  },
  { requiredKeys: ['key', 'target', 'to'] },
)
const body = fc.oneof(
  fc.record({ value }),
  fc.record({ value, encoding, lease }),
  fc.record({ key, expected: fc.oneof(value, fc.constant(null)), value, encoding }),
  fc.record({ key, modRevision: number, value: fc.constant(null) }),
  fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    then: fc.array(operation, { maxLength: 3 }),
    else: fc.array(operation, { maxLength: 3 }),
  }),
  fc.record({ ttlMs: number }),
  fc.record({ quotaBytes: fc.constantFrom(1, -1, 2 ** 60, '1') }),
  fc.record({ revision: number }),
  fc.record({
    then: fc.tuple(fc.record({ op: fc.constant('get'), key, revision: number, limit: number })),
  }),
  fc.json().map((json): unknown => JSON.parse(json)),
  fc.constant(undefined),
)
const request = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
  path: fc.constantFrom(
    ...['', '', '', '/cas', '/txn', '/txn', '/leases', '/leases/x/keepalive', '/leases/%00'],
    ...['/quota', '/compact', '/nothing'],
  ),
  query: fc
    .tuple(
      where,
      fc.oneof(
        fc.constant({}),
        fc.record({
          after: maybe(key),
          limit: number.map(text),
          revision: number.map(text),
          encoding,
          consistency: fc.constantFrom(undefined, 'local', 'eventual'),
          keysOnly: fc.constantFrom(undefined, '', 'no'),
        }),
      ),
    )
    .map(([at, more]): Record<string, string | undefined> => ({ ...at, ...more })),
  body,
})

/** Without undefined fields, as JSON has it; lone surrogates are lost, as they are in UTF-8. */
const asSent = (one: unknown): unknown =>
  one === undefined ? undefined : JSON.parse(JSON.stringify(one))

/** Everything under the system's prefix, with when it was written. */
async function systemKeys({ store }: Node): Promise<string[]> {
  const { items } = await store.range({ key: '/jangada/', rangeEnd: '/jangada0' }, 'local')
  return items.map((item) => `${item.key} ${item.modRevision}`)
}

t.test('whatever is asked has an answer or a code', async (t) => {
  const node = await makeNode()
  node.store.put(machine(ids.n1, 'n1'))
  const before = await systemKeys(node)
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, body: sent }) => {
      const given = Object.entries(query).filter((one): one is [string, string] => {
        return one[1] !== undefined
      })
      const answer = await node.ask(method, `/v1/kv${path}`, asSent(sent), {
        query: new Map(given),
      })
      const code: string = answer.value?.error?.code ?? 'done'
      seen.set(code, (seen.get(code) ?? 0) + 1)
      if (code !== 'done') {
        t.ok(code in errorCodes && code !== 'JGD_INTERNAL', JSON.stringify(answer.value))
      }
    }),
    { numRuns: 3000 },
  )
  t.same(await systemKeys(node), before, 'the system’s keys are as they were')
  for (const code of ['done', 'JGD_BAD_REQUEST', 'JGD_KEY_RESERVED', 'JGD_LEASE_UNKNOWN']) {
    t.ok((seen.get(code) ?? 0) > 10, `${code}: ${seen.get(code)}`)
  }
})
