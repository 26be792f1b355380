/**
 * Programs that hold a key under a lease: grant, write, keep alive for a while through any node,
 * then forget it, as one that crashed does, or revoke it.
 */
import { utf8 } from '../../src/base/bytes.ts'
import { isJangadaError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { LeaseId } from '../../src/core/store/types.ts'
import type { StoreAccess } from '../../src/node/member/store-access.ts'
import type { World } from './world.ts'

const holderCount = 2
const prefix = 'lease/'
const ttlMs = { min: 1500, max: 5000 }
const pauseMsMax = 3000
/** A holder that hears nothing for this long asks again; the answer may come all the same. */
const patienceMs = 8000
const keepAlivesMax = 12

export interface Held {
  readonly ttlMs: number
  /** True time at which the last acknowledged keep-alive, or the grant, was sent. */
  keptSinceMs: number
}

export class Holders {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #held = new Map<string, Held>()
  /** Keys whose lease nobody keeps alive any more. */
  readonly abandoned = new Set<string>()
  readonly counts = { granted: 0, kept: 0, expired: 0, revoked: 0 }
  #keys = 0
  #working = 0
  isStopped = false

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork()
  }

  /** What was promised about `key`; undefined once its holder gave it up by itself. */
  held(key: string): Held | undefined {
    return this.#held.get(key)
  }

  /** Nobody holds anything, and no key of theirs is left. */
  get areGone(): boolean {
    const { committed } = this.#world
    const isLeft = [...this.abandoned].some((key) => committed.get(key) !== undefined)
    return this.isStopped && this.#working === 0 && !isLeft
  }

  start(): void {
    for (let holder = 0; holder < holderCount; holder += 1) void this.#hold()
  }

  async #hold(): Promise<void> {
    this.#working += 1
    while (!this.isStopped) {
      await this.#wait(this.#random.fraction() * pauseMsMax)
      await this.#holdOne()
    }
    this.#working -= 1
  }

  async #holdOne(): Promise<void> {
    const { time } = this.#world
    const key = `${prefix}${(this.#keys += 1)}`
    const askedMs = time.nowMs
    const wanted = this.#random.integer(ttlMs.min, ttlMs.max)
    const id = await this.#ask((store) => store.leaseGrant(wanted))
    if (id === undefined) return
    this.counts.granted += 1
    const put = { kind: 'put', key, value: utf8(id), lease: id } as const
    // Whether it was written or not, a key that comes is under the lease and goes with it.
    this.#held.set(key, { ttlMs: wanted, keptSinceMs: askedMs })
    const isWritten = await this.#ask((store) =>
      store.transact({ compare: [], then: [put], otherwise: [] }),
    )
    if (isWritten !== undefined) await this.#keepAlive(key, id)
    this.abandoned.add(key)
  }

  async #keepAlive(key: string, id: LeaseId): Promise<void> {
    const held = this.#held.get(key) as Held
    const times = this.#random.integer(0, keepAlivesMax)
    for (let time = 0; time < times && !this.isStopped; time += 1) {
      await this.#wait(held.ttlMs / 3)
      const sentMs = this.#world.time.nowMs
      const isThere = await this.#ask((store) => store.leaseKeepAlive(id))
      if (isThere === true) {
        this.counts.kept += 1
        held.keptSinceMs = sentMs
      } else if (isThere === false) {
        this.counts.expired += 1
        return
      }
    }
    if (!this.#random.chance(0.3)) return
    this.#held.delete(key)
    this.counts.revoked += 1
    await this.#ask((store) => store.leaseRevoke(id))
  }

  /** Through any node that is up; undefined when nobody answered, or with an error. */
  #ask<T>(request: (store: StoreAccess) => Promise<T>): Promise<T | undefined> {
    const { machines, time } = this.#world
    const open = machines.filter(({ process, isPaused }) => process?.server && !isPaused)
    const process = open.length === 0 ? undefined : this.#random.pick(open).process
    const store = process?.core?.store
    if (process === undefined || store === undefined) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      const timer = time.after(patienceMs, () => resolve(undefined))
      const over = (answer: T | undefined): void => {
        if (!process.isAlive) return
        timer.cancel()
        resolve(answer)
      }
      request(store).then(over, (error: unknown) => {
        if (isJangadaError(error)) over(undefined)
        else reject(error)
      })
    })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.time.after(ms, resolve))
  }
}
