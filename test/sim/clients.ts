/**
 * Clients that write and read a few keys through any node, and remember what they were told.
 * They are people's programs: a request that gets no answer in time has an unknown outcome.
 */
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { isJangadaError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { StoreAccess } from '../../src/node/member/store-access.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

export const clientPrefix = 'sim/'
const keyCount = 4
const clientCount = 4
/** Between two requests of one client. */
const pauseMsMax = 400
const patienceMs = 10_000

export type Request =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  /** Writes only if the key was last changed at `expected`. */
  | {
      readonly kind: 'swap'
      readonly key: string
      readonly value: string
      readonly expected: number
    }

export type Outcome =
  | { readonly kind: 'read'; readonly revision: number; readonly modRevision: number }
  | { readonly kind: 'written'; readonly revision: number }
  | { readonly kind: 'swapRefused'; readonly revision: number }
  /** The node promised that nothing happened. */
  | { readonly kind: 'nothing'; readonly code: string }
  | { readonly kind: 'unknown' }

export interface Operation {
  readonly client: number
  readonly node: string
  readonly request: Request
  /** The highest revision that anybody had been told of when it began. */
  readonly floor: number
  readonly outcome: Outcome
}

/** Errors that say that the write has not happened and will not (`StoreAccess.transact`). */
const nothingHappened: ReadonlySet<string> = new Set([
  'JGD_NO_QUORUM',
  'JGD_NOT_LEADER',
  'JGD_OVERLOADED',
  'JGD_UNREACHABLE',
])

export class Clients {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #onDone: ((operation: Operation) => void)[] = []
  #writes = 0
  #told = 0
  /** The last value that some client was told of, for swaps. */
  readonly #lastSeen = new Map<string, number>()
  readonly counts = { read: 0, written: 0, swapRefused: 0, nothing: 0, unknown: 0 }
  /** Writes acknowledged by a node, of which nothing may be lost. */
  isStopped = false

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork()
  }

  onDone(listener: (operation: Operation) => void): void {
    this.#onDone.push(listener)
  }

  start(): void {
    for (let client = 1; client <= clientCount; client += 1) this.#pauseThenAsk(client)
  }

  #pauseThenAsk(client: number): void {
    this.#world.time.after(this.#random.fraction() * pauseMsMax, () => {
      if (this.isStopped) return
      const ready = this.#world.machines.filter((machine) => machine.process?.server !== undefined)
      const machine = ready.length === 0 ? undefined : this.#random.pick(ready)
      if (machine?.process === undefined || machine.isPaused) this.#pauseThenAsk(client)
      else this.#ask(client, machine.name, machine.process)
    })
  }

  #ask(client: number, node: string, process: SimulatedProcess): void {
    const request = this.#choose()
    const floor = this.#told
    let isOver = false
    const over = (outcome: Outcome): void => {
      if (isOver || !(process.isAlive || outcome.kind === 'unknown')) return
      isOver = true
      timer.cancel()
      if ('revision' in outcome) this.#told = Math.max(this.#told, outcome.revision)
      if (outcome.kind === 'read') this.#lastSeen.set(request.key, outcome.modRevision)
      this.counts[outcome.kind] += 1
      const operation = { client, node, request, floor, outcome }
      this.#world.timeline.digest(JSON.stringify(operation))
      for (const listener of this.#onDone) listener(operation)
      this.#pauseThenAsk(client)
    }
    const timer = this.#world.time.after(patienceMs, () => over({ kind: 'unknown' }))
    const store = process.core?.store
    if (store !== undefined) {
      void carryOut(store, request).then(over, (error: unknown) => over(outcomeOf(error, request)))
    }
  }

  #choose(): Request {
    const key = `${clientPrefix}${this.#random.integer(1, keyCount)}`
    const dice = this.#random.fraction()
    if (dice < 0.45) return { kind: 'get', key }
    this.#writes += 1
    const value = `w${this.#writes}`
    const expected = this.#lastSeen.get(key)
    if (dice < 0.8 || expected === undefined) return { kind: 'put', key, value }
    return { kind: 'swap', key, value, expected }
  }
}

async function carryOut(store: StoreAccess, request: Request): Promise<Outcome> {
  const { key } = request
  if (request.kind === 'get') {
    const { items, revision } = await store.range({ key }, 'linearizable')
    return { kind: 'read', revision, modRevision: items[0]?.modRevision ?? 0 }
  }
  const { succeeded, revision } = await store.transact({
    compare:
      request.kind === 'swap'
        ? [{ target: 'modRevision', key, is: '=', to: request.expected }]
        : [],
    then: [{ kind: 'put', key, value: utf8(request.value) }],
    otherwise: [],
  })
  return { kind: succeeded ? 'written' : 'swapRefused', revision }
}

function outcomeOf(error: unknown, request: Request): Outcome {
  if (!isJangadaError(error)) throw error
  const isSure = request.kind === 'get' || nothingHappened.has(error.code)
  return isSure ? { kind: 'nothing', code: error.code } : { kind: 'unknown' }
}

export const valueOf = (value: Uint8Array): string => fromUtf8(value)
