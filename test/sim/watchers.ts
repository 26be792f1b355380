/** One program on each node that lists a range, follows it, and notes what it is told. */
import type { KeyValue } from '../../src/core/store/types.ts'
import type { EventBatch } from '../../src/core/store/types.ts'
import { type Follower, follow } from '../../src/node/member/follow.ts'
import { prefixEnd } from '../../src/core/records/record.ts'
import { clientPrefix } from './clients.ts'
import type { SimulatedProcess } from './process.ts'
import { sinkLog } from './quiet.ts'
import type { World } from './world.ts'

export type Told =
  | { readonly kind: 'list'; readonly items: readonly KeyValue[]; readonly revision: number }
  | { readonly kind: 'changes'; readonly batch: EventBatch }

export interface WatcherListener {
  (node: string, process: SimulatedProcess, told: Told): void
}

const noLog = sinkLog(() => undefined)

/** To be called after every event: new processes get a watcher. */
export class Watchers {
  readonly #world: World
  readonly #watching = new WeakSet<SimulatedProcess>()
  readonly #listeners: WatcherListener[] = []
  #attached = 0

  constructor(world: World) {
    this.#world = world
  }

  onTold(listener: WatcherListener): void {
    this.#listeners.push(listener)
  }

  attach(): void {
    if (this.#attached === this.#world.served) return
    this.#attached = this.#world.served
    for (const { name, process } of this.#world.machines) {
      if (process?.server === undefined || this.#watching.has(process)) continue
      this.#watching.add(process)
      this.#watch(name, process)
    }
  }

  #watch(node: string, process: SimulatedProcess): void {
    const { core, clock } = process
    if (core === undefined) return
    const tell = (told: Told): void => {
      for (const listener of this.#listeners) listener(node, process, told)
    }
    const follower: Follower = {
      reset: (items, revision) => tell({ kind: 'list', items, revision }),
      change: (events, revision) => tell({ kind: 'changes', batch: { revision, events } }),
    }
    const range = { key: clientPrefix, rangeEnd: prefixEnd(clientPrefix) }
    const { signal } = new AbortController()
    void follow({ store: core.store, clock, log: noLog, range, follower, signal })
  }
}
