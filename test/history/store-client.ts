/** What one request to the public API comes to, for a program that keeps the API's word. */
import { Agent, request as httpRequest } from 'node:http'
import type { ErrorBody } from '../../src/base/errors.ts'
import type { KvCasAnswer, KvGetAnswer } from '../../src/node/api/kv-answers.ts'

export type Request =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | {
      readonly op: 'cas'
      readonly key: string
      readonly value: string
      readonly expected: string | null
    }

export type Outcome =
  | { readonly kind: 'read'; readonly value: string | null }
  | { readonly kind: 'written' }
  /** A compare-and-swap found something else there. */
  | { readonly kind: 'swapRefused' }
  /** It did not happen, and will not; or it was a read. `code` says why. */
  | { readonly kind: 'nothing'; readonly code: string }
  /** A write that may happen now, later or never. `code` says what was heard instead. */
  | { readonly kind: 'unknown'; readonly code: string }

/** A frozen machine does not answer at all, and a client has other nodes to ask. */
const patienceMs = 1500
/** See docs/kv.md, "Consistency, and what an error means". */
const unknownCodes: ReadonlySet<string> = new Set(['JGD_OUTCOME_UNKNOWN', 'JGD_INTERNAL'])

export class StoreClient {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true })

  /** `socketPath`: of the node's API. */
  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  async ask(request: Request): Promise<Outcome> {
    const isRead = request.op === 'get'
    try {
      const { status, text } = await this.#send(request)
      if (status === 200) return outcomeOf(request, text)
      const code = codeOf(text)
      const isSure = isRead || (code !== undefined && !unknownCodes.has(code))
      return { kind: isSure ? 'nothing' : 'unknown', code: code ?? `status ${status}` }
    } catch (error) {
      const { code = 'broken', syscall } = error as NodeJS.ErrnoException
      // Nothing was sent to a door that was not there.
      const isSure = isRead || syscall === 'connect'
      return { kind: isSure ? 'nothing' : 'unknown', code }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(request: Request): Promise<{ readonly status: number; readonly text: string }> {
    const { op, key } = request
    const path = op === 'cas' ? '/v1/kv/cas' : `/v1/kv?key=${encodeURIComponent(key)}`
    const method = ({ get: 'GET', put: 'PUT', cas: 'POST' } as const)[op]
    const { op: _op, key: _key, ...rest } = request
    const body = op === 'get' ? '' : JSON.stringify(op === 'cas' ? { key, ...rest } : rest)
    const about = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        socketPath: this.#socketPath,
        agent: this.#agent,
        method,
        path,
        headers: { host: 'localhost', ...(op === 'get' ? {} : about) },
        signal: AbortSignal.timeout(patienceMs),
      })
      outgoing.on('error', reject)
      outgoing.once('response', (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() })
        })
      })
      outgoing.end(body)
    })
  }
}

/** Throws for what is no answer of ours: that is a connection that broke within it. */
function outcomeOf({ op }: Request, text: string): Outcome {
  const answer: unknown = JSON.parse(text)
  if (op === 'get') return { kind: 'read', value: (answer as KvGetAnswer).item?.value ?? null }
  if (op === 'put') return { kind: 'written' }
  return { kind: (answer as KvCasAnswer).succeeded ? 'written' : 'swapRefused' }
}

function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { readonly error?: ErrorBody }).error?.code
  } catch {
    return undefined
  }
}
