/** Watches over the API: what a client of server-sent events receives, and how it goes on. */
import t from 'tap'
import type { Test } from 'tap'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { createToken } from '../../../src/node/enrol/tokens.ts'
import type { ApiRequest } from '../../../src/node/api/messages.ts'
import { readEvents, type ServerSentEvent } from '../../../src/tools/cli/server-sent-events.ts'
import { ids, machine, makeNode, type Node, request } from './fixture.ts'

class Client {
  readonly status: number
  readonly refusal: { code: string; details?: unknown } | undefined
  readonly abort: AbortController
  readonly #chunks: AsyncIterator<Uint8Array | string> | undefined
  lastId = ''

  private constructor(
    status: number,
    refusal: Client['refusal'],
    abort: AbortController,
    chunks?: AsyncIterable<Uint8Array | string>,
  ) {
    this.status = status
    this.refusal = refusal
    this.abort = abort
    this.#chunks = chunks?.[Symbol.asyncIterator]()
  }

  static async open(
    t: Test,
    node: Node,
    query: string,
    changes: Partial<ApiRequest> = {},
  ): Promise<Client> {
    const abort = new AbortController()
    t.teardown(() => abort.abort())
    const asked = request({
      path: '/v1/kv/watch',
      query: new Map(new URLSearchParams(query)),
      ...changes,
    })
    const { status, body } = await node.api.handle(asked, abort.signal)
    if (body.kind === 'stream') return new Client(status, undefined, abort, body.chunks)
    const { error } = (body.kind === 'json' ? body.value : {}) as { error: { code: string } }
    return new Client(status, error, abort)
  }

  /** The next piece as it is sent. */
  async text(): Promise<string | undefined> {
    const { value, done } = (await this.#chunks?.next()) ?? { done: true, value: undefined }
    if (done === true) return undefined
    return typeof value === 'string' ? value : fromUtf8(value)
  }

  /** The next event, as `name {data}`; undefined at the end. */
  async next(): Promise<string | undefined> {
    const text = await this.text()
    if (text === undefined) return undefined
    this.lastId = /^id: (.*)$/m.exec(text)?.[1] ?? this.lastId
    return `${/^event: (.*)$/m.exec(text)?.[1]} ${/^data: (.*)$/m.exec(text)?.[1]}`
  }

  /** Each change as `revision:key=value` or `revision:-key`. */
  async changes(count: number): Promise<string[]> {
    const told: string[] = []
    while (told.length < count) {
      const event = await this.next()
      if (event === undefined) return told
      const data = JSON.parse(event.slice(event.indexOf(' ') + 1))
      for (const one of data.events ?? []) {
        const { kind, item, key } = one
        told.push(`${data.revision}:${kind === 'put' ? `${item.key}=${item.value}` : `-${key}`}`)
      }
    }
    return told
  }
}

const put = (node: Node, key: string, value: string): Promise<unknown> =>
  node.ask('PUT', `/v1/kv?key=${key}`, { value })

t.test('changes come as they happen, a revision at a time', async (t) => {
  const node = await makeNode()
  const r = node.store.store.revision
  const client = await Client.open(t, node, 'prefix=a/')
  t.equal(await client.next(), `progress {"revision":${r}}`)
  await put(node, 'a/1', 'x')
  await put(node, 'b/1', 'not watched')
  await node.ask('POST', '/v1/kv/txn', {
    then: [
      { op: 'put', key: 'a/2', value: 'y' },
      { op: 'delete', key: 'a/1' },
    ],
  })
  t.same(await client.changes(3), [`${r + 1}:a/1=x`, `${r + 3}:-a/1`, `${r + 3}:a/2=y`])
  t.equal(client.lastId, String(r + 3))
})

t.test('who comes back with the last id goes on without gap or duplicate', async (t) => {
  const node = await makeNode()
  const r = node.store.store.revision
  const first = await Client.open(t, node, 'prefix=a/')
  await put(node, 'a/1', '1')
  await put(node, 'a/1', '2')
  t.same(await first.changes(1), [`${r + 1}:a/1=1`])
  first.abort.abort()
  await put(node, 'a/1', '3')
  const headers = { 'last-event-id': first.lastId }
  const second = await Client.open(t, node, 'prefix=a/&revision=1', { headers })
  t.same(await second.changes(2), [`${r + 2}:a/1=2`, `${r + 3}:a/1=3`])
  const past = await Client.open(t, node, `key=a/1&revision=${r + 3}`)
  t.same(await past.changes(1), [`${r + 3}:a/1=3`])
})

t.test('too late, or too early, is told with a status, and mid-way with an event', async (t) => {
  const node = await makeNode()
  const r = node.store.store.revision
  const slow = await Client.open(t, node, 'key=a')
  t.match(await slow.next(), 'progress')
  const waiting = slow.next()
  await put(node, 'a', '1')
  t.match(await waiting, 'change')
  const value = 'x'.repeat(900_000)
  for (let n = 0; n < 4; n += 1) await put(node, 'a', value)
  await node.ask('POST', '/v1/kv/compact', { revision: r + 5 })
  const late = await Client.open(t, node, `key=a&revision=${r + 1}`)
  t.match([late.status, late.refusal?.code], [410, 'JGD_COMPACTED'])
  const early = await Client.open(t, node, `key=a&revision=${r + 50}`)
  t.match(early.refusal, { code: 'JGD_FUTURE_REVISION', details: { revision: r + 5 } })
  t.match(await slow.next(), `"revision":${r + 2},`, 'what had its place in the queue')
  const end = await slow.next()
  t.match(end, /^error \{"code":"JGD_COMPACTED"/)
  t.match(end, `"floor":${r + 5}`)
  t.equal(await slow.next(), undefined)
  for (const query of ['', 'key=a&prefix=b', 'key=', 'key=a&revision=0']) {
    t.equal((await Client.open(t, node, query)).refusal?.code, 'JGD_BAD_REQUEST', query)
  }
  const headers = { 'last-event-id': 'x' }
  t.equal((await Client.open(t, node, 'key=a', { headers })).refusal?.code, 'JGD_BAD_REQUEST')
})

t.test('the system’s changes are for admins, and only when asked for', async (t) => {
  const node = await makeNode()
  const r = node.store.store.revision
  const wanted = { scope: 'read', roleCeiling: 'client', uses: 1, lifetimeMs: 60_000 } as const
  const { text: bearer } = await createToken(node.context, node.init.files.authorityPem, wanted)
  const at = node.store.store.revision
  const asReader = { door: 'tls', bearer } as const
  const refused = await Client.open(t, node, 'prefix=/jangada/', asReader)
  t.equal(refused.refusal?.code, 'JGD_FORBIDDEN')
  const all = await Client.open(t, node, 'prefix=', asReader)
  t.equal(await all.next(), `progress {"revision":${at}}`)
  const admin = await Client.open(t, node, `prefix=/jangada/machines/&revision=${r + 1}`)
  node.store.put(machine(ids.n1, 'n1'))
  await put(node, 'mine', '1')
  t.equal(await all.next(), `progress {"revision":${at + 1}}`, 'without a word of what it was')
  t.same(await all.changes(1), [`${at + 2}:mine=1`])
  t.match((await admin.changes(1))[0], `${at + 1}:/jangada/machines/`)
})

t.test('a stream of events is read however it is cut', async (t) => {
  const text =
    ': hello\n\nevent: change\nid: 1\ndata: {"é":1}\n\nevent: progress\ndata: 2\n\nevent: cut'
  const bytes = new TextEncoder().encode(text)
  for (const size of [1, 2, 3, 7, bytes.length]) {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    const events: ServerSentEvent[] = []
    for await (const event of readEvents(chunks())) events.push(event)
    t.same(events, [
      { event: 'change', data: '{"é":1}' },
      { event: 'progress', data: '2' },
    ])
  }
})

t.test('a quiet watch is kept open by comments, and loses nothing by them', async (t) => {
  const timers: { readonly delayMs: number; fire: (() => void) | undefined }[] = []
  const clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    atTurnsEnd: () => undefined,
    after: (delayMs: number, fire: () => void) => {
      const timer: (typeof timers)[number] = { delayMs, fire }
      timers.push(timer)
      return {
        cancel: () => {
          timer.fire = undefined
        },
      }
    },
  }
  const node = await makeNode({ clock })
  const r = node.store.store.revision
  const client = await Client.open(t, node, 'key=a')
  await client.next()
  for (let n = 0; n < 3; n += 1) {
    const quiet = client.text()
    await new Promise((resolve) => setImmediate(resolve))
    const due = timers.filter(({ fire }) => fire !== undefined)
    t.same(
      due.map(({ delayMs }) => delayMs),
      [15_000],
    )
    due[0]?.fire?.()
    if (due[0] !== undefined) due[0].fire = undefined
    t.equal(await quiet, ': nothing new\n\n')
  }
  await put(node, 'a', '1')
  t.same(await client.changes(1), [`${r + 1}:a=1`])
  t.same(
    timers.filter(({ fire }) => fire !== undefined),
    [],
    'and no timer stays',
  )
})
