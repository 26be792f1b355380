/**
 * Binds the API to its doors with fastify: 7380 plain, 7381 TLS 1.3, and a unix socket. Only
 * bytes and streams are handled here; what a request means is `node/api`'s.
 */
import { chmodSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import type { Server as HttpsServer } from 'node:https'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { assert, assertNever } from '../base/assert.ts'
import { describeError, isJangadaError, JangadaError } from '../base/errors.ts'
import type { ApiDoor, ApiHandler } from '../node/api/messages.ts'
import type { Log } from '../ports/log.ts'
import { makeDirectories } from './file-tree.ts'
import { answerWith, OpenExchanges } from './http-exchange.ts'
import { type IdentityFiles, TlsIdentity } from './tls-identity.ts'

export type DoorAddress =
  | { readonly kind: 'plain'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'tls'
      readonly host: string
      readonly port: number
      readonly identity: IdentityFiles
    }
  | { readonly kind: 'socket'; readonly path: string }

export interface OpenDoor {
  readonly kind: ApiDoor
  /** Undefined for the socket. */
  readonly port: number | undefined
  /** A renewed certificate, for connections from now on. Only for the TLS door. */
  replaceIdentity(files: IdentityFiles): void
  /**
   * No new request is taken; streams that go on are told to end, and after `graceMs` every
   * connection is cut. Never rejects.
   */
  close(): Promise<void>
}

/** Enough for many dashboards and watchers; a flood of connections stops here. */
const connectionsMax = 1024
/** From the first byte of a request to the end of its headers. */
const headersTimeoutMs = 10_000
const keepAliveTimeoutMs = 15_000
const handshakeTimeoutMs = 10_000
/** A whole image may take its time; what is kept in memory until all of it is here, may not. */
const jsonDeadlineMs = 15_000
/** How often what is too slow is looked for. */
const checkEveryMs = 5000
const graceMs = 2000
/** fastify's, before a route is asked. */
const notAMediaType = 'FST_ERR_CTP_INVALID_MEDIA_TYPE'

/**
 * Resolves once the door listens. Rejects with JGD_PORT_TAKEN, or JGD_STATE_DIR when the
 * identity cannot be read.
 */
export async function openDoor(
  api: ApiHandler,
  address: DoorAddress,
  log: Log,
  { bodyDeadlineMs = jsonDeadlineMs }: { readonly bodyDeadlineMs?: number } = {},
): Promise<OpenDoor> {
  const identity = address.kind === 'tls' ? identityWithChain(address.identity) : undefined
  const state = { identity, exchanges: new OpenExchanges(bodyDeadlineMs) }
  const app = await makeApp(identity)
  const { server } = app
  server.maxConnections = connectionsMax
  server.headersTimeout = headersTimeoutMs
  server.keepAliveTimeout = keepAliveTimeoutMs
  // A whole image may take its time; the headers may not.
  server.requestTimeout = 0
  const answer = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    answerWith(api, address.kind, state.identity, state.exchanges, { request, reply })
  app.setErrorHandler((error: Error & { readonly code?: unknown }, request, reply) => {
    // What a client calls its body is for the API to judge, as all that it says.
    if (error.code === notAMediaType) return answer(request, reply)
    log.debug('a request failed', { method: request.method, cause: describeError(error) })
    return reply
      .code(isJangadaError(error) ? error.status : 500)
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify({ error: asCoded(error).toBody() }))
  })
  app.all('/*', answer)
  try {
    await listen(app, address)
  } catch (error) {
    await app.close()
    throw portTaken(address, error)
  }
  const bound = server.address()
  const port = typeof bound === 'object' ? bound?.port : undefined
  log.info('listening', { door: address.kind, port })
  return {
    kind: address.kind,
    port,
    replaceIdentity: (files) => {
      assert(address.kind === 'tls', 'only the TLS door has an identity')
      state.identity = identityWithChain(files)
      ;(server as HttpsServer).setSecureContext(state.identity.secureContext)
    },
    close: () => close(app, state.exchanges),
  }
}

/** Clients know no more of the cluster than its CA's pin, so the CA's certificate goes along. */
const identityWithChain = (files: IdentityFiles): TlsIdentity =>
  new TlsIdentity({ ...files, certificatePem: `${files.certificatePem}\n${files.authorityPem}` })

/** A stream that fails before its first byte is still an answer. */
const asCoded = (error: unknown): JangadaError =>
  isJangadaError(error) ? error : new JangadaError('JGD_INTERNAL', 'this node failed to answer')

/** No route has a schema of fastify's, and its compilers would weigh ten megabytes on every machine. */
const noCompiler = () => () => {
  throw new JangadaError('JGD_INTERNAL', 'a route has a schema of fastify')
}
const noCompilers = { buildValidator: noCompiler, buildSerializer: noCompiler }

async function makeApp(identity: TlsIdentity | undefined): Promise<FastifyInstance> {
  const { fastify } = await import('fastify')
  const common = {
    logger: false,
    forceCloseConnections: false,
    exposeHeadRoutes: false,
    schemaController: { compilersFactory: noCompilers },
  } as const
  const timing = { connectionsCheckingInterval: checkEveryMs }
  const app =
    identity === undefined
      ? fastify({ ...common, http: timing })
      : (fastify({
          ...common,
          https: {
            ...identity.secureContext,
            ...timing,
            handshakeTimeout: handshakeTimeoutMs,
            requestCert: true,
            rejectUnauthorized: false,
          },
        }) as unknown as FastifyInstance)
  // Bodies are read by `answerWith`, each kind under its own bound.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  return app
}

async function listen(app: FastifyInstance, address: DoorAddress): Promise<void> {
  switch (address.kind) {
    case 'plain':
    case 'tls':
      await app.listen({ host: address.host, port: address.port })
      return
    case 'socket':
      // Without systemd nobody has made it; libuv would call its absence a lack of permission.
      await makeDirectories(dirname(address.path))
      await removeStale(address.path)
      await listenPrivately(app, address.path)
      return
    default:
      assertNever(address)
  }
}

/** Nobody but root may connect, from the moment the socket is there. */
async function listenPrivately(app: FastifyInstance, path: string): Promise<void> {
  await app.ready()
  const before = process.umask(0o177)
  const listening = app.listen({ path })
  try {
    await listening
    chmodSync(path, 0o600)
  } finally {
    process.umask(before)
  }
}

/** A socket that nobody answers at was left by a process that was killed. */
async function removeStale(path: string): Promise<void> {
  const state = await probe(path)
  if (state === 'stale') await unlink(path)
  if (state === 'live') {
    throw new JangadaError('JGD_PORT_TAKEN', `another node answers at ${path}`, {
      hint: 'one node a machine, or give another --socket',
    })
  }
}

function probe(path: string): Promise<'live' | 'stale' | 'absent'> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve('live')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? 'absent' : 'stale')
    })
  })
}

function portTaken(address: DoorAddress, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES') return error
  const where = address.kind === 'socket' ? address.path : `${address.host}:${address.port}`
  return new JangadaError('JGD_PORT_TAKEN', `cannot listen on ${where}: ${describeError(error)}`, {
    hint: 'another program, or another node, uses it: see "ss -ltnp"',
    cause: error,
  })
}

async function close(app: FastifyInstance, exchanges: OpenExchanges): Promise<void> {
  const { server } = app
  exchanges.close()
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  try {
    await app.close()
  } finally {
    clearTimeout(cut)
    clearInterval(idle)
  }
}
