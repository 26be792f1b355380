/** Keys through the API: what is written, read, refused, and how each is told. */
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { quotaAlarm } from '../../../src/core/records/keyspace.ts'
import { createToken } from '../../../src/node/enrol/tokens.ts'
import type { ApiRequest } from '../../../src/node/api/messages.ts'
import { outcomeUnknown } from '../../../src/node/member/errors.ts'
import { ids, machine, makeNode, type Answer, type Node } from './fixture.ts'

const codeOf = ({ value }: Answer): string => value?.error?.code
const put = (node: Node, key: string, value: string): Promise<Answer> =>
  node.ask('PUT', `/v1/kv?key=${encodeURIComponent(key)}`, { value })

async function tokenOf(node: Node, scope: 'read' | 'deploy'): Promise<Partial<ApiRequest>> {
  const request = { scope, roleCeiling: 'client', uses: 1, lifetimeMs: 60_000 } as const
  const { text } = await createToken(node.context, node.init.files.authorityPem, request)
  return { door: 'tls', bearer: text }
}

t.test('a key is put, read, put again and deleted; every answer has its revision', async (t) => {
  const node = await makeNode()
  const { ask } = node
  const first = (await put(node, 'app/db host', 'one')).value.revision
  const read = await ask('GET', '/v1/kv?key=app/db%20host')
  t.same(read.value, {
    revision: first,
    consistency: 'linearizable',
    staleForMs: 0,
    item: {
      key: 'app/db host',
      createRevision: first,
      modRevision: first,
      version: 1,
      lease: null,
      value: 'one',
      encoding: 'utf8',
    },
  })
  t.equal((await put(node, 'app/db host', 'two')).value.revision, first + 1)
  const again = await ask('GET', '/v1/kv?key=app/db%20host')
  t.match(again.value.item, { value: 'two', version: 2, createRevision: first })
  const old = await ask('GET', `/v1/kv?key=app/db%20host&revision=${first}`)
  t.match(old.value.item, { value: 'one', version: 1 })
  const gone = await ask('DELETE', '/v1/kv?key=app/db%20host')
  t.same(gone.value, { revision: first + 2, deleted: 1 })
  t.same((await ask('DELETE', '/v1/kv?key=app/db%20host')).value, {
    revision: first + 2,
    deleted: 0,
  })
  t.equal((await ask('GET', '/v1/kv?key=app/db%20host')).value.item, null)
})

t.test('a value that is no text is told as base64, and any value on request', async (t) => {
  const node = await makeNode()
  const { ask } = node
  await ask('PUT', '/v1/kv?key=b', { value: '/wD+', encoding: 'base64' })
  t.match((await ask('GET', '/v1/kv?key=b')).value.item, { value: '/wD+', encoding: 'base64' })
  await put(node, 'b', '\ufeffé')
  t.match((await ask('GET', '/v1/kv?key=b')).value.item, { value: '\ufeffé', encoding: 'utf8' })
  const asked = await ask('GET', '/v1/kv?key=b&encoding=base64')
  t.match(asked.value.item, { value: '77u/w6k=', encoding: 'base64' })
  async function* upload(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(0xc3)
    yield Uint8Array.of(0x28)
  }
  t.equal((await ask('PUT', '/v1/kv?key=b', undefined, { upload: upload() })).status, 200)
  t.match((await ask('GET', '/v1/kv?key=b')).value.item, { value: 'wyg=', encoding: 'base64' })
  const wrong = await ask('PUT', '/v1/kv?key=b', { value: 'a', encoding: 'base64' })
  t.match(wrong.value.error, { code: 'JGD_BAD_REQUEST', message: /not base64/ })
})

t.test('lists are ordered, come in pages of one revision, and leave out the system', async (t) => {
  const node = await makeNode()
  const { ask } = node
  for (const key of ['/a', 'k/3', 'k/1', '/z', 'k/2', 'k0']) await put(node, key, key)
  const keys = ({ value }: Answer): string[] => value.items.map(({ key }: { key: string }) => key)
  t.same(keys(await ask('GET', '/v1/kv?prefix=k/')), ['k/1', 'k/2', 'k/3'])
  t.same(keys(await ask('GET', '/v1/kv?from=k/2&end=k0')), ['k/2', 'k/3'])
  const all = ['/a', '/z', 'k/1', 'k/2', 'k/3', 'k0']
  t.same(keys(await ask('GET', '/v1/kv?prefix=')), all)
  const seen: string[] = []
  let query = '/v1/kv?prefix=&limit=1&keysOnly'
  for (let pages = 0; pages < all.length; pages += 1) {
    const page = await ask('GET', query)
    if (pages === 2) await put(node, 'k/4', 'too late for these pages')
    seen.push(...keys(page))
    t.equal(page.value.more, pages < all.length - 1, `page ${pages}`)
    t.notOk('value' in page.value.items[0])
    const { revision } = page.value
    query = `/v1/kv?prefix=&limit=1&keysOnly&revision=${revision}&after=${seen.at(-1)}`
  }
  t.same(seen, all)
  t.equal(keys(await ask('GET', '/v1/kv?prefix=')).length, all.length + 1)
})

t.test('the system’s own keys: nobody writes them here, and admins read them', async (t) => {
  const node = await makeNode()
  const { ask, store } = node
  node.store.put(machine(ids.n1, 'n1'))
  const before = store.store.revision
  const writes = [
    ask('PUT', '/v1/kv?key=/jangada/units/a.service', { value: 'x' }),
    ask('DELETE', `/v1/kv?key=/jangada/machines/${ids.n1}`),
    ask('DELETE', '/v1/kv?prefix=/jangada/'),
    ask('DELETE', '/v1/kv?prefix='),
    ask('DELETE', '/v1/kv?from=/a&end=/z'),
    ask('POST', '/v1/kv/cas', { key: '/jangada/x', expected: null, value: 'x' }),
    ask('POST', '/v1/kv/txn', { else: [{ op: 'put', key: '/jangada/x', value: '' }] }),
    ask('POST', '/v1/kv/txn', { then: [{ op: 'get', prefix: '' }] }),
  ]
  for (const answer of await Promise.all(writes)) t.equal(codeOf(answer), 'JGD_KEY_RESERVED')
  t.equal(store.store.revision, before, 'nothing was changed')
  t.equal((await put(node, '/jangada', 'a neighbour')).status, 200)
  t.equal((await put(node, '/jangada0', 'another')).status, 200)
  t.equal((await ask('GET', '/v1/kv?prefix=/jangada/machines/')).value.items.length, 1)
  const deploy = await tokenOf(node, 'deploy')
  const target = '/v1/kv?prefix=/jangada/machines/'
  t.equal(codeOf(await ask('GET', target, undefined, deploy)), 'JGD_FORBIDDEN')
  const look = { then: [{ op: 'get', key: `/jangada/machines/${ids.n1}` }] }
  t.equal(codeOf(await ask('POST', '/v1/kv/txn', look, deploy)), 'JGD_FORBIDDEN')
  const guess = {
    compare: [{ key: `/jangada/machines/${ids.n1}`, target: 'version', to: 1 }],
    then: [{ op: 'get', key: 'a' }],
  }
  t.equal(codeOf(await ask('POST', '/v1/kv/txn', guess, deploy)), 'JGD_FORBIDDEN')
})

t.test('scopes: read reads, deploy writes, admin compacts', async (t) => {
  const node = await makeNode()
  const { ask } = node
  const reader = await tokenOf(node, 'read')
  const writer = await tokenOf(node, 'deploy')
  t.equal(codeOf(await ask('PUT', '/v1/kv?key=a', { value: '' }, reader)), 'JGD_FORBIDDEN')
  t.equal((await ask('PUT', '/v1/kv?key=a', { value: '' }, writer)).status, 200)
  t.equal((await ask('GET', '/v1/kv?key=a', undefined, reader)).value.item.value, '')
  const compact = { revision: node.store.store.revision }
  t.equal(codeOf(await ask('POST', '/v1/kv/compact', compact, writer)), 'JGD_FORBIDDEN')
  t.equal((await ask('POST', '/v1/kv/compact', compact)).status, 200)
  t.equal(codeOf(await ask('GET', '/v1/kv?key=a&revision=1')), 'JGD_COMPACTED')
  t.equal(codeOf(await ask('GET', '/v1/kv?key=a&revision=999')), 'JGD_FUTURE_REVISION')
})

t.test('compare and swap: what is expected, or what stands there instead', async (t) => {
  const node = await makeNode()
  const cas = async (body: object): Promise<unknown> => {
    const { succeeded, item, error } = (await node.ask('POST', '/v1/kv/cas', body)).value
    return error?.code ?? (succeeded ? 'swapped' : (item?.value ?? null))
  }
  t.equal(await cas({ key: 'k', expected: 'x', value: '1' }), null)
  t.equal(await cas({ key: 'k', expected: null, value: '1' }), 'swapped')
  t.equal(await cas({ key: 'k', expected: null, value: '2' }), '1')
  t.equal(
    await cas({ key: 'k', expected: 'MQ==', expectedEncoding: 'base64', value: '2' }),
    'swapped',
  )
  const { item } = (await node.ask('GET', '/v1/kv?key=k')).value
  t.equal(await cas({ key: 'k', modRevision: item.modRevision - 1, value: '3' }), '2')
  t.equal(await cas({ key: 'k', modRevision: item.modRevision, value: null }), 'swapped')
  t.equal(await cas({ key: 'k', modRevision: 0, value: '4' }), 'swapped')
  t.equal(await cas({ key: 'k', value: '5' }), 'JGD_BAD_REQUEST')
  t.equal(await cas({ key: 'k', expected: '4', modRevision: 1, value: '5' }), 'JGD_BAD_REQUEST')
})

t.test('a transaction does all or the other, at one revision', async (t) => {
  const node = await makeNode()
  const { ask } = node
  await put(node, 'from', '10')
  const txn = {
    compare: [
      { key: 'from', target: 'value', to: '10' },
      { key: 'to', target: 'value', to: null },
      { key: 'from', target: 'version', is: '<', to: 2 },
    ],
    then: [
      { op: 'put', key: 'from', value: '7' },
      { op: 'put', key: 'to', value: '3' },
      { op: 'get', prefix: 't', keysOnly: true },
    ],
    else: [
      { op: 'get', key: 'from' },
      { op: 'delete', prefix: 'tmp/' },
    ],
  }
  const done = (await ask('POST', '/v1/kv/txn', txn)).value
  t.match(done, { succeeded: true, results: [{ op: 'put' }, { op: 'put' }, { op: 'get' }] })
  t.match(done.results[2].items, [{ key: 'to', modRevision: done.revision }])
  t.notOk('value' in done.results[2].items[0])
  const refused = (await ask('POST', '/v1/kv/txn', txn)).value
  t.match(refused, {
    succeeded: false,
    revision: done.revision,
    results: [
      { op: 'get', items: [{ value: '7' }], more: false },
      { op: 'delete', deleted: 0 },
    ],
  })
})

t.test('a get in a transaction has as many rows as a list, and no greater limit', async (t) => {
  const node = await makeNode()
  for (let from = 0; from < 1500; from += 500) {
    const then = Array.from({ length: 500 }, (_, i) => ({
      op: 'put',
      key: `k${from + i}`,
      value: '',
    }))
    t.equal((await node.ask('POST', '/v1/kv/txn', { then })).value.succeeded, true)
  }
  const get = { op: 'get', prefix: 'k', keysOnly: true }
  const told = await node.ask('POST', '/v1/kv/txn', { then: [get] })
  t.match(told.value.results, [{ more: true, items: { length: 1000 } }])
  const greater = await node.ask('POST', '/v1/kv/txn', { then: [{ ...get, limit: 1001 }] })
  t.equal(codeOf(greater), 'JGD_BAD_REQUEST')
})

t.test('what is wrong is told by name, and changes nothing', async (t) => {
  const node = await makeNode()
  const { ask } = node
  const before = node.store.store.revision
  const long = 'k'.repeat(1025)
  const wrong: readonly [method: string, path: string, body: unknown, message: RegExp][] = [
    ['GET', '/v1/kv', undefined, /which keys are meant/],
    ['GET', '/v1/kv?key=a&prefix=b', undefined, /which keys are meant/],
    ['GET', '/v1/kv?key=', undefined, /a key has 1 to 1024 characters/],
    ['GET', `/v1/kv?key=${long}`, undefined, /a key has 1 to 1024 characters/],
    ['GET', '/v1/kv?key=a&after=b', undefined, /after is for lists/],
    ['GET', '/v1/kv?prefix=a&limit=0', undefined, /limit is a whole number/],
    ['GET', '/v1/kv?key=a&revision=x', undefined, /revision is a whole number/],
    ['GET', '/v1/kv?key=a&encoding=hex', undefined, /encoding is utf8 or base64/],
    ['GET', '/v1/kv?key=a&consistency=strong', undefined, /linearizable or local/],
    ['PUT', '/v1/kv?key=a', undefined, /body/],
    ['PUT', '/v1/kv?key=a', { valeu: 'x' }, /value/],
    ['PUT', '/v1/kv?key=a', { value: 'x', ttl: 3 }, /body/],
    ['PUT', '/v1/kv?prefix=a', { value: 'x' }, /at one key/],
    ['POST', '/v1/kv/txn', {}, /does nothing/],
    ['POST', '/v1/kv/txn', { then: [{ op: 'put', key: 'a' }] }, /a put has a value/],
    [
      'POST',
      '/v1/kv/txn',
      { then: [{ op: 'delete', key: 'a', value: '' }] },
      /delete has no value/,
    ],
    [
      'POST',
      '/v1/kv/txn',
      {
        compare: [{ key: 'a', target: 'value', is: '<', to: 'b' }],
        then: [{ op: 'get', key: 'a' }],
      },
      /equal or not/,
    ],
    [
      'POST',
      '/v1/kv/txn',
      {
        then: [
          { op: 'put', key: 'a', value: '1' },
          { op: 'delete', prefix: 'a' },
        ],
      },
      /both put and delete/,
    ],
  ]
  for (const [method, path, body, message] of wrong) {
    const { value } = await ask(method, path, body)
    t.match(value.error, { code: 'JGD_BAD_REQUEST', message }, `${method} ${path.slice(0, 50)}`)
  }
  async function* tooLong(): AsyncGenerator<Uint8Array> {
    yield utf8('x'.repeat(1_048_577))
  }
  const large = await ask('PUT', '/v1/kv?key=a', undefined, { upload: tooLong() })
  t.match(large, { status: 413, value: { error: { code: 'JGD_TOO_LARGE' } } })
  const lease = await ask('PUT', '/v1/kv?key=a', { value: '', lease: 'none' })
  t.equal(codeOf(lease), 'JGD_LEASE_UNKNOWN')
  t.equal(node.store.store.revision, before)
})

t.test('without a quorum: nothing is written, local reads say how old they are', async (t) => {
  const node = await makeNode()
  const { ask, store } = node
  await put(node, 'a', '1')
  store.leadership = { ...store.leadership, role: 'follower', hasQuorum: false, staleForMs: 4200.4 }
  t.equal(codeOf(await put(node, 'a', '2')), 'JGD_NO_QUORUM')
  t.equal(codeOf(await ask('GET', '/v1/kv?key=a')), 'JGD_NO_QUORUM')
  const local = await ask('GET', '/v1/kv?key=a&consistency=local')
  t.match(local.value, { consistency: 'local', staleForMs: 4200, item: { value: '1' } })
})

t.test('leases: keys that end together, kept alive, listed and revoked', async (t) => {
  const node = await makeNode()
  const { ask } = node
  const made = await ask('POST', '/v1/kv/leases', { ttlMs: 5000 })
  t.match(made, { status: 201, value: { ttlMs: 5000 } })
  const { id } = made.value
  for (const key of ['a', 'b']) {
    t.equal((await ask('PUT', `/v1/kv?key=${key}`, { value: 'x', lease: id })).status, 200)
  }
  t.equal((await ask('GET', '/v1/kv?key=a')).value.item.lease, id)
  t.same((await ask('GET', '/v1/kv/leases')).value, {
    leases: [{ id, ttlMs: 5000, keys: 2 }],
    more: false,
  })
  t.same((await ask('GET', `/v1/kv/leases?after=${id}`)).value, { leases: [], more: false })
  t.equal((await ask('POST', `/v1/kv/leases/${id}/keepalive`)).status, 200)
  await put(node, 'b', 'no longer on a lease')
  t.same((await ask('DELETE', `/v1/kv/leases/${id}`)).value, { id })
  t.equal((await ask('GET', '/v1/kv?key=a')).value.item, null)
  t.match((await ask('GET', '/v1/kv?key=b')).value.item, { lease: null })
  t.equal(codeOf(await ask('POST', `/v1/kv/leases/${id}/keepalive`)), 'JGD_LEASE_UNKNOWN')
  t.equal(codeOf(await ask('DELETE', `/v1/kv/leases/${id}`)), 'JGD_LEASE_UNKNOWN')
  for (const body of [undefined, {}, { ttlMs: 999 }, { ttlMs: 1e15 }, { ttlMs: 1000.5 }]) {
    t.equal(codeOf(await ask('POST', '/v1/kv/leases', body)), 'JGD_BAD_REQUEST')
  }
})

t.test('many leases are listed page by page', async (t) => {
  const node = await makeNode()
  for (let n = 0; n < 1001; n += 1) {
    node.store.apply({ kind: 'leaseGrant', id: `l${String(n).padStart(4, '0')}`, ttlMs: 1000 })
  }
  const first = (await node.ask('GET', '/v1/kv/leases')).value
  t.match([first.leases.length, first.more], [1000, true])
  const rest = (await node.ask('GET', `/v1/kv/leases?after=${first.leases.at(-1).id}`)).value
  t.match(rest, { leases: [{ id: 'l1000' }], more: false })
})

t.test('the quota is shown, set by admins, and kept', async (t) => {
  const node = await makeNode()
  const { ask } = node
  const mib = 1_048_576
  const first = (await ask('GET', '/v1/kv/quota')).value
  t.match(first, { quotaBytes: 1024 * mib, reserveBytes: 64 * mib, fullSinceMs: null })
  t.ok(first.usedBytes > 1000 && first.usedBytes < 100_000)
  const writer = await tokenOf(node, 'deploy')
  const small = { quotaBytes: mib }
  t.equal(codeOf(await ask('PUT', '/v1/kv/quota', small, writer)), 'JGD_FORBIDDEN')
  t.equal(codeOf(await ask('PUT', '/v1/kv/quota', { quotaBytes: 1000 })), 'JGD_BAD_REQUEST')
  t.match((await ask('PUT', '/v1/kv/quota', small)).value, { quotaBytes: mib })
  t.equal((await put(node, 'large', 'x'.repeat(800_000))).status, 200)
  const refused = await put(node, 'more', 'x'.repeat(200_000))
  t.match(refused, {
    status: 507,
    value: { error: { code: 'JGD_STORE_FULL', hint: /kv del/, details: { quotaBytes: mib } } },
  })
  t.equal((await ask('DELETE', '/v1/kv?key=large')).value.deleted, 1)
  t.equal((await put(node, 'more', 'x'.repeat(200_000))).status, 200)
  const alarm = { v: 1, sinceMs: 7, usedBytes: 1, quotaBytes: mib, reserveBytes: 1 } as const
  node.store.put(quotaAlarm.put(alarm, 'alarm'))
  t.equal((await ask('GET', '/v1/kv/quota')).value.fullSinceMs, 7)
  const usersBytes = mib - mib / 8
  t.match((await ask('GET', '/v1/status')).value.store, { usersBytes, fullSinceMs: 7 })
})

t.test('a write that may or may not have happened says so, and is never tried twice', async (t) => {
  const node = await makeNode()
  let tries = 0
  node.store.transact = () => {
    tries += 1
    return Promise.reject(outcomeUnknown('the connection broke'))
  }
  const writes: readonly [method: string, path: string, body?: unknown][] = [
    ['PUT', '/v1/kv?key=a', { value: '1' }],
    ['DELETE', '/v1/kv?key=a'],
    ['POST', '/v1/kv/cas', { key: 'a', expected: null, value: '1' }],
    ['POST', '/v1/kv/txn', { then: [{ op: 'put', key: 'a', value: '1' }] }],
  ]
  for (const [method, path, body] of writes) {
    const { status, value } = await node.ask(method, path, body)
    const hint = 'read before writing again'
    t.match(
      { status, error: value.error },
      { status: 504, error: { code: 'JGD_OUTCOME_UNKNOWN', hint } },
    )
  }
  t.equal(tries, writes.length)
})

t.test('a number beyond what JSON can say exactly is the caller’s mistake', async (t) => {
  const node = await makeNode()
  const revision = 2 ** 60
  const bodies: readonly [path: string, body: unknown][] = [
    ['compact', { revision }],
    ['cas', { key: 'a', modRevision: revision, value: '' }],
    ['txn', { then: [{ op: 'get', key: 'a', revision }] }],
    ['txn', { then: [{ op: 'get', key: 'a', limit: revision }] }],
    [
      'txn',
      { compare: [{ key: 'a', target: 'version', to: revision }], then: [{ op: 'get', key: 'a' }] },
    ],
    ['leases', { ttlMs: revision }],
  ]
  for (const [path, body] of bodies) {
    t.equal(codeOf(await node.ask('POST', `/v1/kv/${path}`, body)), 'JGD_BAD_REQUEST', path)
  }
})
