/** docs/kv.md is what programs are written by, so everything in it that can be tried is tried. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import * as quota from '../../../src/core/store/quota.ts'
import * as bounds from '../../../src/core/store/types.ts'
import { defaultHistoryLimits } from '../../../src/core/store/versions.ts'
import { kvRoutes } from '../../../src/node/api/kv.ts'
import { kvLeaseRoutes } from '../../../src/node/api/kv-leases.ts'
import { kvQuotaRoutes } from '../../../src/node/api/kv-quota.ts'
import { kvTxnRoutes } from '../../../src/node/api/kv-txn.ts'
import { kvWatchRoutes } from '../../../src/node/api/kv-watch.ts'
import { requestBodyBytesMax } from '../../../src/node/api/messages.ts'
import { maxBytesQueued } from '../../../src/node/member/watch-hub.ts'
import { makeNode } from './fixture.ts'

const paper = readFileSync(new URL('../../../docs/kv.md', import.meta.url), 'utf8')

t.test('the table has every route with its scope, and no other', async (t) => {
  const { context } = await makeNode()
  const routes = [kvRoutes, kvTxnRoutes, kvWatchRoutes, kvLeaseRoutes, kvQuotaRoutes]
  const known = routes.flatMap((make) =>
    make(context).map(({ method, path, access }) => `${method} ${path} ${access}`),
  )
  const told = [...paper.matchAll(/^\| `([A-Z]+ \/v1\/\S+)` \| (\w+) \|/gm)].map(
    ([, route, scope]) => `${route} ${scope}`,
  )
  t.same(told.toSorted(), known.toSorted())
})

/** Numbers are of a cluster's own; everything else is as it is written. */
function alike(written: unknown, got: unknown): boolean {
  if (typeof written === 'number') return typeof got === 'number' && (written === 0) === (got === 0)
  if (Array.isArray(written)) {
    return (
      Array.isArray(got) &&
      written.length === got.length &&
      written.every((w, i) => alike(w, got[i]))
    )
  }
  if (typeof written !== 'object' || written === null) return written === got
  if (typeof got !== 'object' || got === null) return false
  const [ours, theirs] = [Object.entries(written), Object.entries(got)]
  return (
    ours.length === theirs.length &&
    ours.every(([key, value]) => alike(value, (got as Record<string, unknown>)[key]))
  )
}

t.test('each exchange, one after the other, is answered as it is written', async (t) => {
  const { ask } = await makeNode()
  const blocks = [...paper.matchAll(/^```http\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  t.ok(blocks.length >= 14, `${blocks.length} exchanges`)
  let lease = 'LEASE'
  for (const block of blocks) {
    const [, method = '', target = '', sent = '', status = '', told = ''] =
      /^(\S+) (\S+)\n([\s\S]*?)^(\d{3})\n([\s\S]*)$/m.exec(block.replaceAll('LEASE', lease)) ?? []
    const body: unknown = sent === '' ? undefined : JSON.parse(sent)
    const answer = await ask(method, target, body)
    t.equal(answer.status, Number(status), `${method} ${target}`)
    if (target === '/v1/kv/leases' && method === 'POST') {
      t.match(answer.value.id, /^[0-9a-f]{24}$/)
      lease = answer.value.id as string
    }
    const expected: unknown = JSON.parse(told.replaceAll('LEASE', lease))
    t.ok(alike(expected, answer.value), `${told} for ${answer.text}`)
  }
})

t.test('an exchange that is not as written would be seen', async (t) => {
  t.notOk(alike({ a: 'x' }, { a: 'y' }))
  t.notOk(alike({ a: 1 }, { a: 1, b: 2 }))
  t.notOk(alike([{ op: 'put' }], []))
  t.notOk(alike({ staleForMs: 0 }, { staleForMs: 3 }))
  t.ok(alike({ revision: 4 }, { revision: 5 }))
})

t.test('the bounds it names are those that hold', async (t) => {
  const told: readonly [number, RegExp][] = [
    [bounds.maxKeyLength, /1 to (\d+) UTF-16 units/],
    [bounds.maxValueBytes, /A value is bytes, at most (\d+)/],
    [requestBodyBytesMax, /A body of JSON has at most (\d+) bytes/],
    [bounds.maxOperationsPerTransaction, /At most (\d+) operations/],
    [bounds.maxTransactionBytes, /operations and (\d+) bytes/],
    [bounds.maxRowsPerRange, /A `get` has (\d+) rows at most/],
    [bounds.maxRowsPerRange, /A list has at most (\d+) keys/],
    [bounds.maxRangeBytes, /of a transaction (\d+) bytes, each/],
    [bounds.maxKeysLookedAt, /They look at (\d+) keys together/],
    [bounds.rowOverheadBytes, /each row with (\d+) beside/],
    [bounds.maxKeysDeletedTogether, /one deletes at most (\d+) keys/],
    [quota.maxLeases, /There are at most (\d+) leases/],
    [bounds.maxLeasesListed, /A list has at most (\d+);/],
    [maxBytesQueued, /keeps at most (\d+) bytes for each/],
    [defaultHistoryLimits.maxRevisions, /at most (\d+) revisions/],
    [defaultHistoryLimits.maxBytes / 1_048_576, /revisions and (\d+) MiB/],
    [quota.keyOverheadBytes, /and (\d+) bytes for each key/],
    [quota.defaultQuotaBytes / 1_048_576, /may take (\d+) MiB/],
    [quota.reserveOf(1e12) / 1_048_576, /at most (\d+) MiB, is for the system/],
  ]
  for (const [bound, where] of told) {
    t.equal(Number(where.exec(paper.replaceAll('\n', ' '))?.[1]), bound, String(where))
  }
})
