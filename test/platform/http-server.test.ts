import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import type { Test } from 'tap'
import { concat, fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { errorCodes, isJangadaError, JangadaError } from '../../src/base/errors.ts'
import { formatBearer, parseToken } from '../../src/core/trust/token-text.ts'
import type { ApiContext } from '../../src/node/api/context.ts'
import { openHttpClient } from '../../src/platform/http-client.ts'
import { type DoorAddress, openDoor, type OpenDoor } from '../../src/platform/http-server.ts'
import type { ClientResponse, HttpClient, NodeTarget } from '../../src/ports/http-client.ts'
import {
  ids,
  machine,
  makeNode,
  type Node,
  placement,
  silent,
  unitFile,
} from '../node/api/fixture.ts'

function socketPath(t: Test): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'jangada-api-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return path.join(directory, 's.sock')
}

async function serve(
  t: Test,
  address: (node: Node) => DoorAddress,
  changes: Partial<ApiContext> = {},
  timing: Parameters<typeof openDoor>[3] = {},
): Promise<{ node: Node; door: OpenDoor }> {
  const node = await makeNode(changes)
  const door = await openDoor(node.api, address(node), silent, timing)
  t.teardown(() => door.close())
  return { node, door }
}

const onTls = ({ init }: Node): DoorAddress => ({
  kind: 'tls',
  host: '127.0.0.1',
  port: 0,
  identity: init.files,
})

function targetOf({ init }: Node, port: number | undefined): NodeTarget {
  const token = parseToken(init.adminToken)
  if (token === undefined) throw new Error('the admin token is a token')
  return {
    kind: 'tls',
    host: '127.0.0.1',
    port: port ?? 0,
    pin: token.pin,
    bearer: formatBearer(token),
  }
}

async function read(response: ClientResponse): Promise<{ status: number; text: string }> {
  const parts: Uint8Array[] = []
  for await (const part of response.chunks) parts.push(part)
  return { status: response.status, text: fromUtf8(concat(parts)) }
}

const get = async (client: HttpClient, target: string) =>
  read(await client.request({ method: 'GET', path: target }))

t.test('the API over TLS 1.3: a token, the pin, and nothing older', async (t) => {
  const { node, door } = await serve(t, onTls)
  const target = targetOf(node, door.port)
  const client = openHttpClient(target)
  node.store.put(machine(ids.n1, 'n1'))
  t.match(await get(client, '/v1/machines'), { status: 200, text: /"name":"n1"/ })
  const body = { kind: 'json', value: { file: unitFile() } } as const
  const made = await client.request({ method: 'PUT', path: '/v1/units/a@1.service', body })
  t.match(await read(made), { status: 201, text: /a@1\.service/ })

  const other = openHttpClient({ ...target, pin: 'f'.repeat(64) } as NodeTarget)
  const mismatch = await other
    .request({ method: 'GET', path: '/v1/units' })
    .catch((e: unknown) => e)
  t.ok(isJangadaError(mismatch, 'JGD_PIN_MISMATCH'))
  const old = await new Promise<string>((resolve) => {
    const options = { host: '127.0.0.1', port: door.port ?? 0, rejectUnauthorized: false }
    const socket = connectTls({ ...options, maxVersion: 'TLSv1.2' })
    socket.once('secureConnect', () => resolve('connected'))
    socket.once('error', () => resolve('refused'))
  })
  t.equal(old, 'refused')
})

t.test('a certificate of the cluster is known, another one is refused by its code', async (t) => {
  const { node, door } = await serve(t, onTls)
  const stranger = await makeNode()
  const ask = ({ init }: Node): Promise<string> =>
    new Promise((resolve, reject) => {
      const { privateKeyPem: key, certificatePem: cert } = init.files
      const options = { host: '127.0.0.1', port: door.port ?? 0, rejectUnauthorized: false }
      const socket = connectTls({ ...options, key, cert })
      let text = ''
      socket.on('data', (data) => {
        text += data.toString()
      })
      socket.on('close', () => resolve(text))
      socket.on('error', reject)
      socket.write('GET /v1/units HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    })
  t.match(await ask(node), /^HTTP\/1\.1 200/)
  const refused = await ask(stranger)
  t.match(refused, /^HTTP\/1\.1 403/)
  t.match(refused, 'JGD_WRONG_CLUSTER')
})

t.test('the socket is for root, and a stale one is no obstacle', async (t) => {
  const at = socketPath(t)
  writeFileSync(at, 'left behind')
  const { node } = await serve(t, () => ({ kind: 'socket', path: at }))
  t.equal(statSync(at).mode & 0o777, 0o600)
  t.match(await get(openHttpClient({ kind: 'socket', path: at }), '/v1/units'), { status: 200 })
  const second = await openDoor(node.api, { kind: 'socket', path: at }, silent).catch(
    (error: unknown) => error,
  )
  t.ok(isJangadaError(second, 'JGD_PORT_TAKEN'), 'a live one is')
  const nobody = openHttpClient({ kind: 'socket', path: `${at}.not` })
  const failed = await nobody.request({ method: 'GET', path: '/' }).catch((error: unknown) => error)
  t.ok(isJangadaError(failed, 'JGD_UNREACHABLE'))
  t.match(failed, { hint: /jangada up/ })
})

t.test('bodies are bounded, and what is no JSON is said to be none', async (t) => {
  const at = socketPath(t)
  await serve(t, () => ({ kind: 'socket', path: at }))
  const client = openHttpClient({ kind: 'socket', path: at })
  const big = { kind: 'json', value: { file: 'x'.repeat(1_100_000) } } as const
  const long = await client.request({ method: 'PUT', path: '/v1/units/a.service', body: big })
  t.match(await read(long), { status: 413, text: /JGD_TOO_LARGE/ })
  const broken = await new Promise<number>((resolve) => {
    const raw = httpRequest({ socketPath: at, method: 'PUT', path: '/v1/units/a.service' })
    raw.on('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    raw.end('{"file":')
  })
  t.equal(broken, 400)
})

/** What a client that sends `head`, and then nothing more, is told until it is hung up on. */
async function toldTo(t: Test, where: { path: string } | { port: number }, head: string) {
  const socket = connect(where)
  t.teardown(() => socket.destroy())
  socket.write(head)
  const parts: Uint8Array[] = []
  for await (const part of socket) parts.push(part as Uint8Array)
  return fromUtf8(concat(parts))
}

t.test('a body that does not come is not waited for', async (t) => {
  const at = socketPath(t)
  const timing = { bodyDeadlineMs: 50 }
  await serve(t, () => ({ kind: 'socket', path: at }), {}, timing)
  const head = 'PUT /v1/units/a.service HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"fi'
  t.match(await toldTo(t, { path: at }, head), /^HTTP\/1\.1 408 [^]*JGD_TOO_SLOW/)
})

t.test('nothing is read of who may not ask', async (t) => {
  const { door } = await serve(t, onTls)
  const socket = connectTls({ host: '127.0.0.1', port: door.port ?? 0, rejectUnauthorized: false })
  t.teardown(() => socket.destroy())
  socket.write('PUT /v1/units/a.service HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{')
  const parts: Uint8Array[] = []
  for await (const part of socket) parts.push(part as Uint8Array)
  t.match(fromUtf8(concat(parts)), /^HTTP\/1\.1 401 [^]*connection: close[^]*JGD_UNAUTHENTICATED/i)
})

t.test('the plain door takes no bodies, and answers without them', async (t) => {
  const { door } = await serve(t, () => ({ kind: 'plain', host: '127.0.0.1', port: 0 }))
  const head = 'POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n'
  const answer = await toldTo(t, { port: door.port ?? 0 }, head)
  t.match(answer, /^HTTP\/1\.1 400 [^]*connection: close/i)
})

t.test('an upload that is refused at once still gets its answer', async (t) => {
  const at = socketPath(t)
  await serve(t, () => ({ kind: 'socket', path: at }))
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 200; n += 1) yield new Uint8Array(65_536)
  }
  const client = openHttpClient({ kind: 'socket', path: at })
  const body = { kind: 'stream', chunks: endless() } as const
  const response = await client.request({ method: 'POST', path: '/v1/images?sha256=x', body })
  t.match(await read(response), { status: 400, text: /sha256/ })
})

/** Endless output of a unit, that says when it was told to end. */
function endlessLogs(): { logs: ApiContext['unitLogs']; ended: Promise<void>; sent: () => number } {
  let sent = 0
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  async function* logs(_: unknown, __: unknown, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      while (!signal.aborted) {
        sent += 1
        yield utf8(`${'line '.repeat(10_000)}\n`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      end()
    }
  }
  return { logs, ended, sent: () => sent }
}

const withUnit = async ({ ask, store }: Node): Promise<void> => {
  store.put(machine(ids.n1, 'n1'))
  await ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
  store.put(placement('a.service', ids.n1))
}

t.test(
  'a stream that fails late, and before its first byte, is an answer with a code',
  async (t) => {
    const at = socketPath(t)
    let fail: (error: Error) => void = () => undefined
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    failed.catch(() => undefined)
    async function* unitLogs(): AsyncGenerator<Uint8Array> {
      yield await failed
    }
    const { node } = await serve(t, () => ({ kind: 'socket', path: at }), { unitLogs })
    await withUnit(node)
    const client = openHttpClient({ kind: 'socket', path: at })
    const answer = get(client, '/v1/units/a.service/logs?follow')
    // Later than the API waits for a first word, so that it has answered with a stream.
    setTimeout(() => fail(new JangadaError('JGD_MACHINE_UNREACHABLE', 'n1 is away')), 1500)
    const { status, text } = await answer
    t.match(JSON.parse(text), { error: { code: 'JGD_MACHINE_UNREACHABLE', message: 'n1 is away' } })
    t.equal(status, errorCodes['JGD_MACHINE_UNREACHABLE'].status)
  },
)

t.test('a stream ends when its reader leaves', async (t) => {
  const at = socketPath(t)
  const { logs, ended } = endlessLogs()
  const { node } = await serve(t, () => ({ kind: 'socket', path: at }), { unitLogs: logs })
  await withUnit(node)
  const client = openHttpClient({ kind: 'socket', path: at })
  const { chunks } = await client.request({
    method: 'GET',
    path: '/v1/units/a.service/logs?follow',
  })
  for await (const chunk of chunks) {
    t.match(fromUtf8(chunk), /^line /)
    break
  }
  await ended
})

t.test('who only asks whether there is a stream leaves nothing behind', async (t) => {
  const at = socketPath(t)
  const { logs, ended } = endlessLogs()
  let hasLetGo = false
  async function* copy(): AsyncGenerator<Uint8Array> {
    try {
      while (true) yield utf8('piece')
    } finally {
      hasLetGo = true
    }
  }
  const changes = { unitLogs: logs, saveSnapshot: copy }
  const { node } = await serve(t, () => ({ kind: 'socket', path: at }), changes)
  await withUnit(node)
  const ask = (what: string) =>
    toldTo(t, { path: at }, `HEAD ${what} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  t.match(await ask('/v1/units/a.service/logs?follow'), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  await ended
  t.match(await ask('/v1/snapshot'), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  t.ok(hasLetGo)
})

t.test('a reader that does not read makes the source wait', async (t) => {
  const at = socketPath(t)
  const { logs, ended, sent } = endlessLogs()
  const { node } = await serve(t, () => ({ kind: 'socket', path: at }), { unitLogs: logs })
  await withUnit(node)
  const socket = connect({ path: at })
  t.teardown(() => socket.destroy())
  socket.pause()
  socket.write('GET /v1/units/a.service/logs?follow HTTP/1.1\r\nhost: x\r\n\r\n')
  let before = -1
  // Turns of the loop, not time: the source stands still once every buffer is full.
  for (let still = 0; still < 500; still = sent() === before && before > 0 ? still + 1 : 0) {
    before = sent()
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.ok(sent() < 200, `${sent()} chunks of 50 kB were taken`)
  socket.destroy()
  await ended
})

t.test('closing ends streams and waits for no idle connection', async (t) => {
  const at = socketPath(t)
  const { logs, ended } = endlessLogs()
  const { node, door } = await serve(t, () => ({ kind: 'socket', path: at }), { unitLogs: logs })
  await withUnit(node)
  const idle = connect({ path: at })
  const closed = new Promise<void>((resolve) => {
    idle.once('close', () => resolve())
  })
  idle.on('error', () => undefined).resume()
  idle.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
  const client = openHttpClient({ kind: 'socket', path: at })
  const stream = await client.request({ method: 'GET', path: '/v1/units/a.service/logs?follow' })
  const reading = read(stream).catch((error: unknown) => error)
  await door.close()
  await Promise.all([closed, ended, reading])
  t.pass('all are over')
})
