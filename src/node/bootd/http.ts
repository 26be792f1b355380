/** `/boot/…` over plain HTTP: the script and the files that it names. */
import { present } from '../../base/assert.ts'
import type { ImageFile, imageFileNames } from '../../base/image-manifest.ts'
import { parseMac, parseUuid, sameMachineUuid } from '../../core/netboot/hardware.ts'
import type { Mac, Uuid } from '../../core/netboot/hardware.ts'
import { formatIpv4, isHostIn, parseIpv4 } from '../../core/netboot/ipv4.ts'
import type { Ipv4 } from '../../core/netboot/ipv4.ts'
import { renderBootScript, renderWaitScript } from '../../core/netboot/ipxe/script.ts'
import type { BootFiles, ScriptTemplates } from '../../core/netboot/ipxe/script.ts'
import { makeNonce } from '../../core/netboot/nonce.ts'
import type { NonceCrypto } from '../../core/netboot/nonce.ts'
import { isAssetName } from '../../core/netboot/profiles/profile.ts'
import type { Profile } from '../../core/netboot/profiles/profile.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { Assets } from '../assets/assets.ts'
import type { Bindings, BootCluster, BootLink } from './bindings.ts'
import type { BootStep, OnBootStep } from './boot-step.ts'

export interface BootRequest {
  readonly method: string
  /** Begins with `/boot/`; still percent-encoded. */
  readonly path: string
  /** Decoded. A name that comes twice has its first value. */
  readonly query: ReadonlyMap<string, string>
  readonly remoteAddress: string
  /** The address that the connection came in on: it says which link the client is on. */
  readonly localAddress: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

export interface BootResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Empty for HEAD. */
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>
}

/** Where images lie: `node/assets`, as far as booting needs it. */
export type BootAssets = Pick<Assets, 'image' | 'stat' | 'open'>

/** Bytes `start` to `end`, the latter not included. */
export interface ByteSpan {
  readonly start: number
  readonly end: number
}

/** The binary that this node itself runs, which every machine it boots runs too. */
export interface BootBinary {
  /** 64 lower-case hex digits. */
  readonly sha256: string
  readonly size: number
  readonly open: (range: ByteSpan) => AsyncIterable<Uint8Array>
}

/** Both ends included, as HTTP counts. */
export interface HttpRange {
  readonly start: number
  readonly end: number
}

export interface BootHttpOptions {
  readonly links: readonly BootLink[]
  readonly bindings: Pick<Bindings, 'lookupAddress'>
  readonly cluster: BootCluster
  readonly assets: BootAssets
  readonly binary: BootBinary
  /** The loaders, as TFTP serves them: UEFI HTTP boot fetches them here. */
  readonly loaders: ReadonlyMap<string, Uint8Array>
  readonly templates: ScriptTemplates
  readonly clock: Clock
  readonly crypto: Pick<NonceCrypto, 'hmacSha256'>
  readonly metrics: Metrics
  readonly httpPort: number
  readonly onBootStep: OnBootStep
}

export type BootRoutes = (request: BootRequest) => Promise<BootResponse>

/** Rejects only when the assets do. */
export function bootRoutes(options: BootHttpOptions): BootRoutes {
  return async (request) => {
    const response = await route(options, request)
    const labels = { status: String(response.status) }
    options.metrics.count('jangada_boot_http_responses_total', labels)
    return request.method === 'HEAD' ? { ...response, body: '' } : response
  }
}

async function route(options: BootHttpOptions, request: BootRequest): Promise<BootResponse> {
  const client = clientOf(options, request)
  // Off the boot links this door does not exist: nothing here is for anyone else.
  if (client === undefined) return plain(404, 'not found')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'only GET and HEAD', { allow: 'GET, HEAD' })
  }
  const name = request.path.startsWith('/boot/') ? request.path.slice('/boot/'.length) : ''
  if (name === 'script.ipxe') return script(options, request, client)
  return file(options, request, client, name)
}

interface BootClient {
  readonly local: Ipv4
  readonly remote: Ipv4
}

/** Undefined when the request did not come from a boot link's own subnet. */
function clientOf(options: BootHttpOptions, request: BootRequest): BootClient | undefined {
  const local = parseIpv4(request.localAddress)
  const remote = parseIpv4(request.remoteAddress)
  if (local === undefined || remote === undefined) return undefined
  const link = options.links.find((one) => parseIpv4(one.link.address) === local)?.link
  if (link === undefined) return undefined
  const subnet = { address: local, prefixLength: link.prefixLength }
  return isHostIn(subnet, remote) ? { local, remote } : undefined
}

async function script(
  options: BootHttpOptions,
  request: BootRequest,
  client: BootClient,
): Promise<BootResponse> {
  const mac = parseMac(request.query.get('mac') ?? '')
  if (mac === undefined) return plain(400, 'the query must have mac=, six hex pairs with colons')
  const toldUuid = parseUuid(request.query.get('uuid') ?? '')
  const server = `${formatIpv4(client.local)}:${options.httpPort}`
  const wait = (uuid: Uuid | undefined, reason: string): BootResponse =>
    ipxe(renderWaitScript(options.templates.wait, { mac, uuid, server, reason }))

  const binding = options.bindings.lookupAddress(client.remote)
  // Bound by another node a moment ago, perhaps: this node hears of it with the next commit.
  if (binding === undefined) {
    return wait(toldUuid, 'this node does not know yet which machine has this address')
  }
  if (binding.mac !== mac) return plain(403, 'this address is bound to another machine')
  if (binding.uuid !== undefined && toldUuid !== undefined) {
    if (!sameMachineUuid(binding.uuid, toldUuid)) {
      return plain(403, 'this address is bound to another machine')
    }
  }
  // iPXE's spelling before the firmware's: the running system will read it as iPXE does.
  const uuid = toldUuid ?? binding.uuid
  const profile = options.cluster.profileFor({ mac, uuid })
  const image = await bootFiles(options, profile)
  if (image === undefined) {
    return wait(uuid, `no image ${profile.image} here yet: import one with "jangada image import"`)
  }
  const key = options.cluster.nonceKey()
  if (key === undefined) return wait(uuid, 'this node has not received the boot key yet')
  const nowMs = options.clock.wallMs()
  const nowSeconds = Math.floor(nowMs / 1000)
  const nonce = makeNonce(options.crypto, key, { mac, uuid, address: client.remote }, nowSeconds)
  // A HEAD only asks whether there is one.
  if (request.method === 'GET') options.onBootStep(mac, { kind: 'script' }, nowMs)
  return ipxe(
    renderBootScript(options.templates.boot, {
      mac,
      uuid,
      profile,
      image,
      server,
      joinAddresses: options.cluster.joinAddresses(),
      authorityPin: options.cluster.authorityPin(),
      nonce,
      nowSeconds,
    }),
  )
}

/** Undefined unless this node has the whole image. */
async function bootFiles(
  { assets, binary }: BootHttpOptions,
  profile: Profile,
): Promise<BootFiles | undefined> {
  const stored = await assets.image(profile.image)
  if (stored === undefined) return undefined
  const { files, bootArguments } = stored.manifest
  const part = (name: (typeof imageFileNames)[number]): ImageFile =>
    present(
      files.find((one) => one.name === name),
      `${name} of a manifest that was parsed`,
    )
  const [kernel, initramfs, root] = [part('vmlinuz'), part('initrd.img'), part('root.squashfs')]
  for (const { sha256 } of [kernel, initramfs, root]) {
    if ((await assets.stat(sha256)) === undefined) return undefined
  }
  const agent = { name: 'jangada', sha256: binary.sha256 }
  return { kernel, initramfs, root, binary: agent, bootArguments }
}

/** What can be fetched under `/boot/`: a loader by name, or any file by digest, `HEX/NAME`. */
interface Served {
  /** For the timeline. */
  readonly name: string
  readonly size: number
  readonly open: (range: ByteSpan) => AsyncIterable<Uint8Array>
}

async function find(options: BootHttpOptions, path: string): Promise<Served | undefined> {
  const loader = options.loaders.get(path)
  if (loader !== undefined) {
    const open: Served['open'] = ({ start, end }) => only(loader.subarray(start, end))
    return { name: path, size: loader.length, open }
  }
  const [, sha256, name] = /^([0-9a-f]{64})\/([^/]+)$/.exec(path) ?? []
  if (sha256 === undefined || name === undefined || !isAssetName(name)) return undefined
  const { binary, assets } = options
  if (sha256 === binary.sha256) {
    return { name, size: binary.size, open: (range) => binary.open(range) }
  }
  const size = (await assets.stat(sha256))?.size
  if (size === undefined) return undefined
  return { name, size, open: (range) => storedBytes(assets, sha256, range) }
}

async function* storedBytes(
  assets: BootAssets,
  sha256: string,
  range: ByteSpan,
): AsyncGenerator<Uint8Array> {
  const stream = await assets.open(sha256, range)
  yield* stream.chunks
}

async function file(
  options: BootHttpOptions,
  request: BootRequest,
  client: BootClient,
  path: string,
): Promise<BootResponse> {
  const served = await find(options, path)
  if (served === undefined) return plain(404, 'not found')
  const { name, size } = served
  const asked = readRange(request.headers['range'], size)
  if (asked === 'unsatisfiable') {
    return plain(416, 'the range is outside the file', { 'content-range': `bytes */${size}` })
  }
  const { start, end } = asked ?? { start: 0, end: size - 1 }
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(end - start + 1),
    'accept-ranges': 'bytes',
    ...(asked === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
  }
  const status = asked === undefined ? 200 : 206
  if (request.method === 'HEAD' || size === 0) return { status, headers, body: '' }
  const bytes = served.open({ start, end: end + 1 })
  const mac = options.bindings.lookupAddress(client.remote)?.mac
  const body = mac === undefined ? bytes : toldOf(options, mac, name, end === size - 1, bytes)
  return { status, headers, body }
}

/**
 * `bytes=a-b`, `bytes=a-` or `bytes=-n` (RFC 9110, 14.1.2). Undefined means the whole file: for
 * anything else the header is ignored, several ranges at once included.
 */
export function readRange(
  header: string | undefined,
  size: number,
): HttpRange | 'unsatisfiable' | undefined {
  const match = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(header?.trim() ?? '')
  if (match === null) return undefined
  const first = present(match[1], 'the first group of a match')
  const last = present(match[2], 'the second group of a match')
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end }
}

/** The same bytes, with their beginning and end in the machine's timeline. */
async function* toldOf(
  options: BootHttpOptions,
  mac: Mac,
  name: string,
  toEnd: boolean,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const tell = (step: BootStep): void => options.onBootStep(mac, step, options.clock.wallMs())
  tell({ kind: 'file-begin', file: name, over: 'http' })
  let complete = false
  try {
    yield* bytes
    complete = toEnd
  } finally {
    // Also when the client hangs up: then the consumer ends this generator early.
    tell({ kind: 'file-end', file: name, over: 'http', complete })
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** `no-store`: a script carries a nonce of its own each time. */
const ipxe = (text: string): BootResponse => ({
  status: 200,
  headers: {
    'content-type': 'text/plain; charset=us-ascii',
    'content-length': String(text.length),
    'cache-control': 'no-store',
  },
  body: text,
})

const plain = (
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): BootResponse => ({
  status,
  headers: {
    'content-type': 'text/plain; charset=us-ascii',
    'content-length': String(text.length + 1),
    ...headers,
  },
  body: `${text}\n`,
})
