/**
 * A boot node as a process of its own, to be run inside a network namespace:
 * `bootd-process.ts LINK [KEY=FILE …]`. The files are assets (`vmlinuz=/path`). Tells its pid, and
 * then each step and counter it sees, as JSON lines. Ends when its standard input does.
 */
import { createHmac } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { present } from '../../../src/base/assert.ts'
import { formatIpv4, parseIpv4 } from '../../../src/core/netboot/ipv4.ts'
import { defaultPool } from '../../../src/core/netboot/pool.ts'
import { defaultProfile } from '../../../src/core/netboot/profiles/profile.ts'
import { openBootd } from '../../../src/node/bootd/bootd.ts'
import type { BootRoutes } from '../../../src/node/bootd/http.ts'
import { StoreBindings } from '../../../src/node/bootd/store-bindings.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { udpDatagrams } from '../../../src/platform/datagrams.ts'
import type { Log } from '../../../src/ports/log.ts'
import { localStore } from './local-store.ts'

const httpPort = 7380
const [linkName, ...assetArguments] = process.argv.slice(2)
const assets = new Map(
  assetArguments.map((text) => {
    const [name, file] = text.split('=')
    return [present(name, 'an asset name'), present(file, 'its file')]
  }),
)

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const log: Log = {
  debug: () => {},
  info: (message, fields) => tell({ log: message, ...fields }),
  warn: (message, fields) => tell({ log: message, ...fields }),
  error: (message, fields) => tell({ log: message, ...fields }),
  child: () => log,
}
const counters = new Map<string, number>()

const ending = new AbortController()
const datagrams = udpDatagrams()
const clock = systemClock()
const link = present(
  datagrams.links().find(({ name }) => name === linkName),
  `the link ${linkName}`,
)
const address = present(parseIpv4(link.address), 'its address')
const bindings = new StoreBindings({
  store: localStore().access,
  clock,
  log,
  reserved: () => [],
  signal: ending.signal,
})
const root = path.join(import.meta.dirname, '..', '..', '..')
const bootd = await openBootd({
  datagrams,
  clock,
  crypto: { hmacSha256: (key, bytes) => createHmac('sha256', key).update(bytes).digest() },
  log,
  metrics: {
    count: (name, labels = {}, by = 1) => {
      const key = [name, ...Object.values(labels)].join(' ')
      counters.set(key, (counters.get(key) ?? 0) + by)
    },
    gauge: () => {},
    observe: () => {},
  },
  links: [
    {
      link,
      pool: defaultPool({ address, prefixLength: link.prefixLength }),
      router: undefined,
      nameServers: [],
      timeServers: [],
      leaseSeconds: 3600,
    },
  ],
  bindings,
  cluster: {
    profileFor: () => defaultProfile,
    hostnameFor: () => undefined,
    nonceKey: () => new Uint8Array(32).fill(1),
    joinAddresses: () => [`${link.address}:7382`],
    authorityPin: () => 'ab'.repeat(32),
    bootServers: () => [],
  },
  assets: {
    stat: async (name) => {
      const file = assets.get(name)
      return file === undefined ? undefined : { size: statSync(file).size }
    },
    open: (name, range) => createReadStream(present(assets.get(name), 'a known asset'), range),
  },
  loaders: new Map(
    ['undionly.kpxe', 'snponly.efi'].map((name) => [name, readFileSync(`/usr/lib/ipxe/${name}`)]),
  ),
  templates: {
    boot: readFileSync(path.join(root, 'ipxe/boot.ipxe'), 'utf8'),
    wait: readFileSync(path.join(root, 'ipxe/wait.ipxe'), 'utf8'),
  },
  httpPort,
  onBootStep: (mac, step, atMs) => tell({ mac, atMs, ...step }),
  onForeignServer: ({ server }) => tell({ foreign: formatIpv4(server) }),
})

/** Enough of a door to hand requests to the routes; the node's own is in `platform`. */
function serve(routes: BootRoutes) {
  return createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://boot')
    void routes({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams as unknown as ReadonlyMap<string, string>,
      remoteAddress: request.socket.remoteAddress ?? '',
      localAddress: request.socket.localAddress ?? '',
      headers: request.headers as Record<string, string>,
    }).then(async ({ status, headers, body }) => {
      response.writeHead(status, headers)
      if (typeof body === 'string' || body instanceof Uint8Array) response.end(body)
      else await pipeline(Readable.from(body), response).catch(() => {})
    })
  }).listen(httpPort, '0.0.0.0')
}

const server = serve(bootd.routes)
process.stdin.on('data', () => tell({ counters: Object.fromEntries(counters) }))
process.stdin.on('end', () => {
  ending.abort()
  bootd.close()
  server.close()
  server.closeAllConnections()
})
tell({ ready: process.pid })
