/**
 * Many clients, each with one request at a time, on a few keys and on all nodes. A few at a time,
 * so that they meet; new ones again and again, so that a checker has a bounded history for each.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { SeededRandom } from '../../src/base/random.ts'
import type { Operation } from './operation.ts'
import { type Outcome, type Request, StoreClient } from './store-client.ts'

const keysAtOnce = 4
const operationsPerKey = 200
/** Each of them may take effect at any time, which is what makes a history hard to check. */
const unknownsPerKey = 4
const thinkMsMax = 20
const afterRefusalMs = 30
/** A node that did not answer is left alone so long, by all of them. */
const shunMs = 1000

export interface ClientsOptions {
  readonly clients: number
  /** The API's socket of each node. */
  readonly sockets: readonly string[]
  readonly random: SeededRandom
  /** Of every key: whatever is there already is not of this history. */
  readonly prefix: string
}

interface Key {
  readonly name: string
  operations: number
  unknowns: number
  /** What somebody was told last, for swaps. */
  last: string | null
}

export class Clients {
  readonly #options: ClientsOptions
  readonly #nodes: readonly { readonly store: StoreClient; shunnedUntilMs: number }[]
  readonly #keys: Key[] = []
  readonly #operations: Operation[] = []
  /** How many requests came to nothing or to an unknown end, by what was heard. */
  readonly failures = new Map<string, number>()
  readonly #startedAt = process.hrtime.bigint()
  #keyCount = 0
  #writes = 0
  #names = 0
  #isStopped = false
  #running: Promise<void>[] = []

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#nodes = options.sockets.map((path) => {
      return { store: new StoreClient(path), shunnedUntilMs: 0 }
    })
    for (let slot = 0; slot < keysAtOnce; slot += 1) this.#keys.push(this.#newKey())
  }

  start(): void {
    this.#running = Array.from({ length: this.#options.clients }, () => this.#live())
  }

  /** Everything that was asked and may have happened, in the order in which it began. */
  async stop(): Promise<Operation[]> {
    this.#isStopped = true
    await Promise.all(this.#running)
    for (const { store } of this.#nodes) store.close()
    return this.#operations.toSorted((a, b) => a.start - b.start)
  }

  get count(): number {
    return this.#operations.length
  }

  /** Since the clients were made, on the monotonic clock. */
  #nowNs(): number {
    return Number(process.hrtime.bigint() - this.#startedAt)
  }

  async #live(): Promise<void> {
    const { random } = this.#options
    let client = (this.#names += 1)
    while (!this.#isStopped) {
      await pause(random.fraction() * thinkMsMax)
      const key = this.#chooseKey()
      const request = this.#choose(key)
      const node = this.#chooseNode()
      const start = this.#nowNs()
      const outcome = await node.store.ask(request)
      const end = this.#nowNs()
      if (outcome.kind === 'nothing' || outcome.kind === 'unknown') {
        const name = `${outcome.kind}: ${outcome.code}`
        this.failures.set(name, (this.failures.get(name) ?? 0) + 1)
        if (!outcome.code.startsWith('JGD_')) node.shunnedUntilMs = end / 1e6 + shunMs
        if (outcome.kind === 'nothing') await pause(afterRefusalMs)
      }
      this.#record(key, client, request, outcome, [start, end])
      // Whoever does not know how his write ended may not be asked to wait for it.
      if (outcome.kind === 'unknown') client = this.#names += 1
    }
  }

  #record(
    key: Key,
    client: number,
    request: Request,
    outcome: Outcome,
    [start, end]: readonly [number, number],
  ): void {
    // What did not happen is not told: a history in which it did must not be right.
    if (outcome.kind === 'nothing') return
    const { op } = request
    const value = op === 'get' ? (outcome.kind === 'read' ? outcome.value : null) : request.value
    const expected = op === 'cas' ? request.expected : null
    const about = { client, op, key: key.name, value, expected, start }
    if (outcome.kind === 'unknown') {
      key.unknowns += 1
      this.#operations.push({ ...about, ok: null, end: null })
      return
    }
    const ok = outcome.kind !== 'swapRefused'
    if (ok) key.last = value
    this.#operations.push({ ...about, ok, end })
  }

  #newKey(): Key {
    this.#keyCount += 1
    const name = `${this.#options.prefix}${this.#keyCount}`
    return { name, operations: 0, unknowns: 0, last: null }
  }

  #chooseKey(): Key {
    const slot = this.#options.random.integer(0, keysAtOnce - 1)
    let key = this.#keys[slot] as Key
    if (key.operations >= operationsPerKey || key.unknowns >= unknownsPerKey) {
      key = this.#keys[slot] = this.#newKey()
    }
    key.operations += 1
    return key
  }

  #choose({ name: key, last }: Key): Request {
    const dice = this.#options.random.fraction()
    if (dice < 0.45) return { op: 'get', key }
    this.#writes += 1
    const value = `w${this.#writes}`
    return dice < 0.75 ? { op: 'put', key, value } : { op: 'cas', key, value, expected: last }
  }

  #chooseNode() {
    const nowMs = this.#nowNs() / 1e6
    const open = this.#nodes.filter(({ shunnedUntilMs }) => shunnedUntilMs <= nowMs)
    return this.#options.random.pick(open.length > 0 ? open : this.#nodes)
  }
}
