import t from 'tap'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import { events, machines, tokens } from '../../../src/core/records/keyspace.ts'
import type { ApiRequest } from '../../../src/node/api/messages.ts'
import { createToken } from '../../../src/node/enrol/tokens.ts'
import { parseToken } from '../../../src/core/trust/token-text.ts'
import { ids, machine, makeNode, type Answer, type Node } from './fixture.ts'

const tls: Partial<ApiRequest> = { door: 'tls' }
const codeOf = ({ value }: Answer): string => value?.error?.code

async function tokenFor(node: Node, scope: 'read' | 'deploy' | 'admin' | 'machine') {
  const { init, context } = node
  const request = { scope, roleCeiling: 'client', uses: 1, lifetimeMs: 60_000 } as const
  return createToken(context, init.files.authorityPem, request)
}

t.test('each door has its own routes', async (t) => {
  const { ask } = await makeNode()
  for (const path of ['/v1/units', '/v1/status', '/v1/enrol']) {
    t.equal(codeOf(await ask('GET', path, undefined, { door: 'plain' })), 'JGD_NOT_FOUND', path)
  }
  t.match(await ask('GET', '/metrics', undefined, { door: 'plain' }), { text: /jangada_up/ })
  const boot = await ask('GET', '/boot/script.ipxe', undefined, { door: 'plain' })
  t.match(boot.value.error, { code: 'JGD_NOT_FOUND', hint: /--link/ })
  t.match((await ask('DELETE', '/v1/units')).value.error, {
    code: 'JGD_BAD_REQUEST',
    hint: 'use GET',
  })
  t.equal(codeOf(await ask('GET', '/v1/units/%zz')), 'JGD_BAD_REQUEST')
})

t.test('tokens open what their scope says, and no more', async (t) => {
  const node = await makeNode()
  const { ask } = node
  node.store.put(machine(ids.n1, 'n1'))
  t.equal(codeOf(await ask('GET', '/v1/units', undefined, tls)), 'JGD_UNAUTHENTICATED')
  const read = (await tokenFor(node, 'read')).text
  const deploy = (await tokenFor(node, 'deploy')).text
  const machineToken = (await tokenFor(node, 'machine')).text
  const as = (bearer: string): Partial<ApiRequest> => ({ ...tls, bearer })
  t.equal((await ask('GET', '/v1/units', undefined, as(read))).status, 200)
  const short = read.split('.').slice(-2).join('.')
  t.equal((await ask('GET', '/v1/units', undefined, as(short))).status, 200)
  const label = { metadata: { disk: 'ssd' } }
  t.equal(codeOf(await ask('PATCH', '/v1/machines/n1', label, as(read))), 'JGD_FORBIDDEN')
  t.equal((await ask('PATCH', '/v1/machines/n1', label, as(deploy))).status, 200)
  const token = { role: 'machine' }
  t.equal(codeOf(await ask('POST', '/v1/tokens', token, as(deploy))), 'JGD_FORBIDDEN')
  t.equal((await ask('POST', '/v1/tokens', token, as(node.init.adminToken))).status, 201)
  t.equal(codeOf(await ask('GET', '/v1/units', undefined, as(machineToken))), 'JGD_UNAUTHENTICATED')
  const wrong = `${short.slice(0, -1)}${short.endsWith('0') ? '1' : '0'}`
  t.equal(codeOf(await ask('GET', '/v1/units', undefined, as(wrong))), 'JGD_TOKEN_INVALID')
})

t.test('a token that was shown before is judged anew when its record changes', async (t) => {
  const node = await makeNode()
  const { text: bearer } = await tokenFor(node, 'deploy')
  const as = { ...tls, bearer }
  for (let n = 0; n < 3; n += 1) {
    t.equal((await node.ask('GET', '/v1/units', undefined, as)).status, 200)
  }
  const id = parseToken(bearer)?.id ?? ''
  const { items } = await node.store.range({ key: tokens.key(id) }, 'local')
  const record = items[0] && tokens.read(items[0])?.value
  if (record === undefined) throw new Error('the token is there')
  node.store.put(tokens.put({ ...record, scope: 'read' }, id))
  t.equal(codeOf(await node.ask('PUT', '/v1/kv?key=a', { value: '' }, as)), 'JGD_FORBIDDEN')
  t.equal((await node.ask('GET', '/v1/units', undefined, as)).status, 200)
  node.store.put(tokens.put({ ...record, expiresMs: 1 }, id))
  t.equal(codeOf(await node.ask('GET', '/v1/units', undefined, as)), 'JGD_TOKEN_EXPIRED')
  t.equal((await node.ask('DELETE', `/v1/tokens/${id}`)).status, 200)
  t.equal(codeOf(await node.ask('GET', '/v1/units', undefined, as)), 'JGD_TOKEN_INVALID')
})

t.test(
  'a listed machine reads, deploys and renews with its certificate, and is no administrator',
  async (t) => {
    const node = await makeNode()
    const { files } = node.init
    const { keyHash } = await node.context.crypto.importKey(files.privateKeyPem)
    const peer = {
      keyHash,
      machineId: ids.n1,
      clusterId: node.init.clusterId,
      remoteAddress: '10.77.0.1',
    }
    const as = { ...tls, peer }
    t.equal((await node.ask('GET', '/v1/units', undefined, as)).status, 200)
    const unknown = await node.ask('DELETE', '/v1/units/a.service', undefined, as)
    t.equal(codeOf(unknown), 'JGD_UNIT_UNKNOWN', 'it may, and there is none')
    t.equal(codeOf(await node.ask('GET', '/v1/tokens', undefined, as)), 'JGD_FORBIDDEN')
    t.equal(codeOf(await node.ask('POST', '/v1/machines/n2/admit', {}, as)), 'JGD_FORBIDDEN')
    const body = { request: 'PEM', addresses: [] }
    t.match((await node.ask('POST', '/v1/renew', body, as)).value, {
      certificatePem: `for ${ids.n1}`,
    })
    const other = { ...tls, peer: { ...peer, keyHash: 'f'.repeat(64) } }
    t.equal(codeOf(await node.ask('GET', '/v1/units', undefined, other)), 'JGD_KEY_UNKNOWN')
    const foreign = { ...tls, peerRefusal: { code: 'JGD_WRONG_CLUSTER', message: 'no' } as const }
    t.equal(codeOf(await node.ask('GET', '/v1/units', undefined, foreign)), 'JGD_WRONG_CLUSTER')
  },
)

t.test('tokens are made, listed without secrets, and taken back', async (t) => {
  const { ask } = await makeNode()
  const made = await ask('POST', '/v1/tokens', { role: 'machine', roleCeiling: 'voter', uses: 3 })
  t.equal(parseToken(made.value.token)?.use, 'join')
  const { text, value } = await ask('GET', '/v1/tokens')
  t.match(
    value.tokens.find(({ id }: { id: string }) => id === made.value.id),
    { scope: 'machine', roleCeiling: 'voter', usesLeft: 3 },
  )
  t.notMatch(text, 'secret')
  t.equal((await ask('DELETE', `/v1/tokens/${made.value.id}`)).status, 200)
  t.equal(codeOf(await ask('DELETE', `/v1/tokens/${made.value.id}`)), 'JGD_NOT_FOUND')
})

t.test('machines are labelled, and named by as much as is clear', async (t) => {
  const { ask, store } = await makeNode()
  store.put(machine(ids.n1, 'n1', { metadata: { a: '1', b: '2' } }), machine(ids.n2, 'n2'))
  const patched = await ask('PATCH', '/v1/machines/1111', { metadata: { a: null, c: '3' } })
  t.same(patched.value.metadata, { b: '2', c: '3' })
  const { items } = await store.range({ key: machines.key(ids.n1) }, 'local')
  t.same(items[0] && machines.read(items[0])?.value.metadata, { b: '2', c: '3' })
  t.equal(codeOf(await ask('PATCH', '/v1/machines/n9', { metadata: {} })), 'JGD_NOT_FOUND')
  store.put(machine(ids.n3, 'n1'))
  t.equal(codeOf(await ask('PATCH', '/v1/machines/n1', { metadata: {} })), 'JGD_CONFLICT')
  const { value } = await ask('GET', '/v1/machines')
  t.match(value.machines, [{ name: 'n1', role: 'client' }, { name: 'n1' }, { name: 'n2' }])
})

t.test('the lead is handed to a machine that votes', async (t) => {
  const asked: string[] = []
  const node = await makeNode({
    transferLeader: async (to) => {
      asked.push(to)
    },
  })
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  const { value } = await node.ask('POST', '/v1/leader/transfer', { machine: 'n2' })
  t.match(value.error, { code: 'JGD_CONFLICT', message: 'n2 does not vote, so it cannot lead' })
  t.same(asked, [])
})

t.test(
  'an image is taken from a stream; what is wrong with the request is told first',
  async (t) => {
    const sha256 = 'a'.repeat(64)
    const stored = {
      sha256,
      manifest: { name: 'jangada', version: '1', kernel: '6.1', files: [{ size: 3 }] } as never,
    }
    let received = ''
    const node = await makeNode({
      images: {
        list: async () => [stored],
        import: async (archive) => {
          for await (const part of archive) received += toHex(part)
          return stored
        },
        remove: async () => false,
      },
    })
    async function* upload(): AsyncGenerator<Uint8Array> {
      yield utf8('ab')
    }
    const wrong = await node.ask('POST', '/v1/images?sha256=x', undefined, { upload: upload() })
    t.match(wrong.value.error, { code: 'JGD_BAD_REQUEST', hint: /sha256sum/ })
    const made = await node.ask('POST', `/v1/images?sha256=${sha256}`, undefined, {
      upload: upload(),
    })
    t.match(made, { status: 201, value: { name: 'jangada', bytes: 3 } })
    t.equal(received, '6162')
    const without = await makeNode()
    t.equal(codeOf(await without.ask('GET', '/v1/images')), 'JGD_NOT_FOUND')
  },
)

t.test('events: the latest, oldest first', async (t) => {
  const { ask, store } = await makeNode()
  for (let n = 1; n <= 5; n += 1) {
    const message = `number ${n}`
    store.put(
      events.put(
        { v: 1, atMs: n, kind: 'k', severity: 'info', message, code: '', machine: '', unit: '' },
        `9${String(n).padStart(14, '0')}-x`,
      ),
    )
  }
  const { value } = await ask('GET', '/v1/events?limit=2')
  t.match(value.events, [{ message: 'number 4' }, { message: 'number 5' }])
  t.equal(value.events.length, 2)
  t.equal(codeOf(await ask('GET', '/v1/events?limit=0')), 'JGD_BAD_REQUEST')
})

t.test('our own mistake is no news to the client, but is answered', async (t) => {
  const logged: string[] = []
  const { ask, context } = await makeNode({
    metricsText: async () => {
      throw new Error('secret detail')
    },
  })
  Object.assign(context.log, { error: (message: string) => logged.push(message) })
  const { status, text } = await ask('GET', '/metrics')
  t.equal(status, 500)
  t.notMatch(text, 'secret detail')
  t.same(logged, ['a request failed'])
})
