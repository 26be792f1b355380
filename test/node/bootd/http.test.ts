import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import type { Binding } from '../../../src/core/netboot/dhcp/link.ts'
import type { Mac } from '../../../src/core/netboot/hardware.ts'
import { readNonce } from '../../../src/core/netboot/nonce.ts'
import { defaultPool } from '../../../src/core/netboot/pool.ts'
import { defaultProfile } from '../../../src/core/netboot/profiles/profile.ts'
import type { BootLink } from '../../../src/node/bootd/bindings.ts'
import { BootTimeline } from '../../../src/node/bootd/boot-step.ts'
import { bootRoutes, readRange } from '../../../src/node/bootd/http.ts'
import type { BootAssets, BootHttpOptions, BootRequest } from '../../../src/node/bootd/http.ts'
import type { BootResponse } from '../../../src/node/bootd/http.ts'
import { ip, mac, uuid } from '../../core/netboot/clients.ts'

const templates = path.join(import.meta.dirname, '..', '..', '..', 'ipxe')
const template = (name: string): string => readFileSync(path.join(templates, name), 'utf8')

const link: BootLink = {
  link: { name: 'eth0', mac: '52:54:00:00:00:10', address: '10.77.0.10', prefixLength: 24 },
  pool: defaultPool({ address: ip('10.77.0.10'), prefixLength: 24 }),
  router: undefined,
  nameServers: [],
  timeServers: [],
  leaseSeconds: 3600,
}
const binding: Binding = { mac, uuid, address: ip('10.77.0.150') }
const digest = (digit: string): string => digit.repeat(64)
/** Boot files by digest. */
const files = new Map([
  [digest('1'), utf8('the kernel')],
  [digest('2'), utf8('the initramfs')],
  [digest('3'), utf8('the root image')],
])
const kernelPath = `/boot/${digest('1')}/vmlinuz`
const binary = utf8('the agent')

const assets: BootAssets = {
  image: async (name) => ({
    sha256: digest('0'),
    manifest: {
      format: 1,
      name,
      version: '1',
      kernel: '6.1',
      architecture: 'amd64',
      bootArguments: 'quiet',
      files: [...files].map(([sha256, { length }], at) => ({
        name: ['vmlinuz', 'initrd.img', 'root.squashfs'][at] ?? '',
        sha256,
        size: length,
      })),
    },
  }),
  stat: async (sha256) => {
    const file = files.get(sha256)
    return file === undefined ? undefined : { size: file.length }
  },
  open: async (sha256, range) => {
    const { start = 0, end = 0 } = range ?? {}
    const file = files.get(sha256) as Uint8Array
    return {
      size: file.length,
      start,
      end,
      chunks: pieces(file.subarray(start, end)),
      close: async () => {},
    }
  },
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4) yield bytes.subarray(at, at + 4)
}

interface Node {
  readonly timeline: BootTimeline
  readonly ask: (request: Partial<BootRequest>) => Promise<BootResponse>
}

function node(changes: Partial<BootHttpOptions> = {}): Node {
  const timeline = new BootTimeline()
  const routes = bootRoutes({
    links: [link],
    bindings: { lookupAddress: (address) => (address === binding.address ? binding : undefined) },
    cluster: {
      profileFor: () => defaultProfile,
      hostnameFor: () => undefined,
      nonceKey: () => new Uint8Array(32),
      joinAddresses: () => ['10.77.0.10:7382'],
      authorityPin: () => 'ab'.repeat(32),
      bootServers: () => [],
    },
    assets,
    binary: {
      sha256: digest('b'),
      size: binary.length,
      open: ({ start, end }) => pieces(binary.subarray(start, end)),
    },
    loaders: new Map([['snponly.efi', utf8('the loader')]]),
    templates: { boot: template('boot.ipxe'), wait: template('wait.ipxe') },
    clock: {
      monotonicMs: () => 0,
      wallMs: () => 1_700_000_000_000,
      after: () => ({ cancel: () => {} }),
      atTurnsEnd: () => {},
    },
    crypto: { hmacSha256: (key, bytes) => createHmac('sha256', key).update(bytes).digest() },
    metrics: { count: () => {}, gauge: () => {}, observe: () => {} },
    httpPort: 7380,
    onBootStep: timeline.record,
    ...changes,
  })
  const usual: BootRequest = {
    method: 'GET',
    path: '/boot/script.ipxe',
    query: new Map([['mac', mac]]),
    remoteAddress: '10.77.0.150',
    localAddress: '10.77.0.10',
    headers: {},
  }
  return { timeline, ask: (request) => routes({ ...usual, ...request }) }
}

async function text({ body }: BootResponse): Promise<string> {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return fromUtf8(body)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return fromUtf8(concat(parts))
}

t.test('the script is for the machine that is bound to the address that asks', async (t) => {
  const { ask, timeline } = node()
  const own = await ask({})
  t.equal(own.status, 200)
  const script = await text(own)
  t.equal(own.headers['content-length'], String(script.length))
  const nonce = readNonce(/jangada\.nonce=(\S+)/.exec(script)?.[1] ?? '')
  t.same(nonce, { mac, uuid, address: binding.address, expirySeconds: 1_700_000_600 })
  t.same(timeline.of(mac), [{ step: { kind: 'script' }, atMs: 1_700_000_000_000 }])

  const otherMac = await ask({ query: new Map([['mac', '52:54:00:12:34:57']]) })
  t.equal(otherMac.status, 403)
  const otherUuid = await ask({
    query: new Map([
      ['mac', mac],
      ['uuid', 'c0ffee00-1122-3344-5566-778899aabbcd'],
    ]),
  })
  t.equal(otherUuid.status, 403)
  const noMac = await ask({ query: new Map() })
  t.equal(noMac.status, 400)
  for (const refused of [otherMac, otherUuid, noMac]) {
    t.notMatch(await text(refused), 'nonce')
  }
})

t.test('firmware and iPXE spell one UUID differently; the script has iPXE\u2019s', async (t) => {
  const query = new Map([
    ['mac', mac],
    ['uuid', '00eeffc0-2211-4433-5566-778899aabbcc'],
  ])
  const response = await node().ask({ query })
  t.equal(response.status, 200)
  t.match(await text(response), 'jangada.nonce=N1.525400123456.00eeffc0221144335566778899aabbcc.')
})

t.test('nothing is served off the boot links', async (t) => {
  const { ask } = node()
  for (const request of [
    { localAddress: '192.0.2.1' },
    { remoteAddress: '192.0.2.7' },
    { localAddress: '127.0.0.1', remoteAddress: '127.0.0.1' },
    { remoteAddress: 'fe80::1' },
    { localAddress: '192.0.2.1', path: kernelPath },
  ]) {
    t.equal((await ask(request)).status, 404)
  }
  const mapped = { localAddress: '::ffff:10.77.0.10', remoteAddress: '::ffff:10.77.0.150' }
  t.equal((await ask(mapped)).status, 200, 'a dual-stack door names its clients like this')
})

t.test('a machine that cannot be booted yet is told why and asked to wait', async (t) => {
  const stranger = await text(await node().ask({ remoteAddress: '10.77.0.151' }))
  t.match(stranger, 'does not know yet')
  const noImage = node({ assets: { ...assets, image: async () => undefined } })
  const partOfIt = node({ assets: { ...assets, stat: async () => undefined } })
  for (const { ask } of [noImage, partOfIt]) {
    t.match(await text(await ask({})), 'no image jangada here yet')
  }
  for (const script of [stranger, await text(await noImage.ask({}))]) {
    t.match(script, 'sleep 10\nchain --replace http://10.77.0.10:7380/boot/script.ipxe?mac=')
    t.notMatch(script, 'nonce')
  }
})

t.test('files come whole, in part, or as their size only', async (t) => {
  const { ask, timeline } = node()
  const kernel = await ask({ path: kernelPath })
  t.equal(kernel.status, 200)
  t.equal(kernel.headers['content-length'], '10')
  t.equal(await text(kernel), 'the kernel')
  const steps = timeline.of(mac).map(({ step }) => step)
  t.same(steps, [
    { kind: 'file-begin', file: 'vmlinuz', over: 'http' },
    { kind: 'file-end', file: 'vmlinuz', over: 'http', complete: true },
  ])

  const head = await ask({ path: `/boot/${digest('3')}/root.squashfs`, method: 'HEAD' })
  t.equal(head.headers['content-length'], '14')
  t.equal(await text(head), '')
  const part = await ask({ path: kernelPath, headers: { range: 'bytes=4-8' } })
  t.equal(part.status, 206)
  t.equal(part.headers['content-range'], 'bytes 4-8/10')
  t.equal(await text(part), 'kerne')
  const outside = await ask({ path: kernelPath, headers: { range: 'bytes=10-' } })
  t.equal(outside.status, 416)
  t.equal(outside.headers['content-range'], 'bytes */10')
  t.equal(await text(await ask({ path: '/boot/snponly.efi' })), 'the loader')
  t.equal(await text(await ask({ path: `/boot/${digest('b')}/jangada` })), 'the agent')
})

t.test('a client that hangs up leaves an incomplete file in the timeline', async (t) => {
  const { ask, timeline } = node()
  const { body } = await ask({ path: kernelPath })
  for await (const _ of body as AsyncIterable<Uint8Array>) break
  t.match(timeline.of(mac).at(-1)?.step, { kind: 'file-end', complete: false })
})

t.test('names that are no names, and methods that change things', async (t) => {
  const { ask } = node()
  const known = digest('1')
  for (const name of [
    '',
    known,
    `${known}/`,
    `${known}/../x`,
    `${known}/a/b`,
    `${known}/.hidden`,
  ]) {
    t.equal((await ask({ path: `/boot/${name}` })).status, 404, name)
  }
  for (const name of ['vmlinuz', '../vmlinuz', '%2e%2e/vmlinuz', `${digest('9')}/vmlinuz`]) {
    t.equal((await ask({ path: `/boot/${name}` })).status, 404, name)
  }
  const post = await ask({ method: 'POST' })
  t.equal(post.status, 405)
  t.equal(post.headers['allow'], 'GET, HEAD')
})

t.test('ranges as RFC 9110 has them', (t) => {
  t.same(readRange('bytes=0-', 10), { start: 0, end: 9 })
  t.same(readRange('bytes=-3', 10), { start: 7, end: 9 })
  t.same(readRange('bytes=-30', 10), { start: 0, end: 9 })
  t.same(readRange('bytes=2-99', 10), { start: 2, end: 9 })
  for (const bad of [undefined, '', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2']) {
    t.equal(readRange(bad, 10), undefined, 'ignored')
  }
  for (const bad of ['bytes=10-', 'bytes=-0']) t.equal(readRange(bad, 10), 'unsatisfiable')
  t.equal(readRange('bytes=0-', 0), 'unsatisfiable', 'of an empty file')
  t.end()
})

t.test('the timeline keeps one boot a machine, and is bounded', (t) => {
  const timeline = new BootTimeline()
  const kinds = (): string[] =>
    timeline
      .of(mac)
      .map(({ step }) => ('client' in step ? `${step.kind} ${step.client}` : step.kind))
  const record = timeline.record
  record(mac, { kind: 'discover', client: 'pxe' }, 1)
  record(mac, { kind: 'discover', client: 'pxe' }, 5)
  t.same(timeline.of(mac), [{ step: { kind: 'discover', client: 'pxe' }, atMs: 5 }])
  record(mac, { kind: 'offer', client: 'pxe' }, 6)
  record(mac, { kind: 'discover', client: 'ipxe' }, 7)
  record(mac, { kind: 'script' }, 8)
  record(mac, { kind: 'discover', client: 'os' }, 9)
  t.same(kinds(), ['discover pxe', 'offer pxe', 'discover ipxe', 'script', 'discover os'])
  record(mac, { kind: 'discover', client: 'pxe' }, 20)
  t.same(kinds(), ['discover pxe'], 'it was switched off and on')

  for (let i = 0; i < 200; i += 1) record(mac, { kind: 'discover', client: 'os' }, i)
  t.equal(timeline.of(mac).length, 2, 'a repeated step is one')
  for (let i = 0; i < 999; i += 1) {
    const other = `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:00` as Mac
    record(other, { kind: i % 2 === 0 ? 'script' : 'enrolled' }, i)
    record(`52:54:${i}` as Mac, { kind: 'script' }, i)
  }
  t.ok(timeline.entries().length <= 256)
  t.ok(timeline.entries().every(({ steps }) => steps.length <= 64))
  t.end()
})
