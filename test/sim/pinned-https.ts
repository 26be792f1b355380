/**
 * `ports/PinnedHttps` between simulated machines: a request finds the API of the process that
 * listens at the host, if the paths there and back are open and the pin fits.
 */
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { JangadaError } from '../../src/base/errors.ts'
import type { ApiHandler } from '../../src/node/api/messages.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { PinnedHttps, PinnedRequest, PinnedResponse } from '../../src/ports/pinned-https.ts'
import type { SimulatedNetwork } from './network.ts'

export interface HttpsServer {
  readonly api: ApiHandler
  /** SHA-256 of its CA's SubjectPublicKeyInfo. */
  readonly pin: string
  /** False once its process is gone. */
  readonly alive: () => boolean
}

export interface SimulatedHttpsOptions {
  /** The asking process's machine. */
  readonly host: string
  /** False once the asking process is gone. */
  readonly alive: () => boolean
  readonly clock: Clock
  readonly network: SimulatedNetwork
  readonly serverAt: (host: string) => HttpsServer | undefined
}

export function simulatedHttps(options: SimulatedHttpsOptions): PinnedHttps {
  return {
    request: (target, request) =>
      new Promise((resolve, reject) => {
        const unreachable = (why: string): void =>
          reject(new JangadaError('JGD_UNREACHABLE', `${target.host}: ${why}`))
        const timer = options.clock.after(request.timeoutMs, () => unreachable('no answer'))
        carry(options, target.host, () => {
          const server = options.serverAt(target.host)
          if (server === undefined) return unreachable('connection refused')
          if (server.pin !== target.pin) {
            timer.cancel()
            return reject(new JangadaError('JGD_PIN_MISMATCH', 'the CA there is another'))
          }
          void answer(options, server, request, target.host).then((response) => {
            if (!server.alive()) return
            carry({ ...options, host: target.host }, options.host, () => {
              if (!options.alive()) return
              timer.cancel()
              resolve(response)
            })
          })
        })
      }),
  }
}

/** One way; what finds it cut is lost, and the caller's timer tells. */
function carry({ host, network }: SimulatedHttpsOptions, to: string, arrive: () => void): void {
  network.time.after(network.delayMs(host, to), () => {
    if (network.isOpen(host, to) && !network.isFrozen(to)) arrive()
  })
}

async function answer(
  { host }: SimulatedHttpsOptions,
  { api }: HttpsServer,
  request: PinnedRequest,
  localAddress: string,
): Promise<PinnedResponse> {
  const { status, body } = await api.handle(
    {
      door: 'tls',
      method: request.method,
      path: request.path,
      query: new Map(),
      headers: request.headers ?? {},
      readBody: async () =>
        request.body === undefined ? undefined : JSON.parse(fromUtf8(request.body)),
      remoteAddress: host,
      localAddress,
    },
    new AbortController().signal,
  )
  const text = body.kind === 'json' ? JSON.stringify(body.value) : ''
  return { status, headers: {}, body: utf8(text) }
}
