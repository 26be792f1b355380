/**
 * A boot node as a process of its own, to be run inside a network namespace:
 * `bootd-process.ts LINK [DIRECTORY]`. The directory holds what an image does, and `jangada`. Tells
 * its pid, and then each step and counter it sees, as JSON lines. Ends when its standard input does.
 */
import { createHash, createHmac } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
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
const [linkName, directory] = process.argv.slice(2)

interface File {
  readonly name: string
  readonly sha256: string
  readonly size: number
  readonly open: (range: { start?: number; end?: number }) => AsyncIterable<Uint8Array>
}

const files: readonly File[] =
  directory === undefined
    ? []
    : ['vmlinuz', 'initrd.img', 'root.squashfs', 'jangada'].map((name) => {
        const file = path.join(directory, name)
        const bytes = readFileSync(file)
        return {
          name,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          size: bytes.length,
          open: ({ start = 0, end = bytes.length }) =>
            createReadStream(file, { start, end: end - 1 }),
        }
      })
const imageFiles = files.filter(({ name }) => name !== 'jangada')
const fileOf = (sha256: string): File | undefined => files.find((file) => file.sha256 === sha256)
const nothing: File = { name: '', sha256: '0'.repeat(64), size: 0, open: async function* () {} }

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
    image: async (name) =>
      directory === undefined
        ? undefined
        : {
            sha256: nothing.sha256,
            manifest: {
              format: 1,
              name,
              version: '1',
              kernel: '6.1',
              architecture: 'amd64',
              bootArguments: 'apparmor=0 panic=10',
              files: imageFiles.map(({ name: file, sha256, size }) => ({
                name: file,
                sha256,
                size,
              })),
            },
          },
    stat: async (sha256) => fileOf(sha256),
    open: async (sha256, range) => {
      const { size, open } = present(fileOf(sha256), 'a known file')
      const { start = 0, end = size } = range ?? {}
      return { size, start, end, chunks: open({ start, end }), close: async () => {} }
    },
  },
  binary: files.find(({ name }) => name === 'jangada') ?? nothing,
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
