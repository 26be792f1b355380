/**
 * Tells watchers what each applied command changed. Most watches are of a prefix that ends in
 * `/` (a machine's placements, all units), so an event finds them by the slashes of its key;
 * the few others are tried one by one.
 */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import type { Revision } from '../../base/ids.ts'
import { prefixEnd } from '../../core/records/record.ts'
import type { EventBatch, HistoryAnswer, StoreEvent } from '../../core/store/types.ts'
import type { WatchRequest } from './store-access.ts'

/** A watcher that is this many events behind is told to list again. */
export const maxEventsBehind = 16_384

interface Watcher {
  readonly request: WatchRequest
  queue: EventBatch[]
  /** Events in `queue`. Invariant: <= maxEventsBehind while `failure` is undefined. */
  queued: number
  /** The last revision handed to the queue; later ones only are taken. */
  reached: Revision
  failure: JangadaError | undefined
  wake: (() => void) | undefined
}

/** The past, as `Store` remembers it. */
export interface Past {
  readonly revision: Revision
  history(from: Revision, key: string, rangeEnd: string | undefined): HistoryAnswer
}

export class WatchHub {
  readonly #byPrefix = new Map<string, Set<Watcher>>()
  readonly #others = new Set<Watcher>()
  readonly #past: () => Past
  #failure: JangadaError | undefined

  /** `past` is asked anew each time: a snapshot from the leader replaces the store. */
  constructor(past: () => Past) {
    this.#past = past
  }

  /** To be called after each apply, in the same turn, before anything else reads the store. */
  publish(batch: EventBatch): void {
    const touched = new Map<Watcher, StoreEvent[]>()
    for (const event of batch.events) {
      const key = event.kind === 'put' ? event.item.key : event.key
      for (const watcher of this.#watchersOf(key)) {
        const events = touched.get(watcher)
        if (events === undefined) touched.set(watcher, [event])
        else events.push(event)
      }
    }
    for (const [watcher, events] of touched) this.#give(watcher, { ...batch, events })
  }

  /** See `StoreAccess.watch`. */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<EventBatch> {
    let from = request.fromRevision
    let caughtUp: readonly EventBatch[] | undefined
    while (caughtUp === undefined) {
      if (this.#failure !== undefined) throw this.#failure
      const past = this.#past()
      const answer = past.history(from, request.key, request.rangeEnd)
      if (answer.kind === 'compacted') throw compacted(from)
      from = answer.next
      // Nothing may come between having caught up and being registered for what follows.
      if (from > past.revision) caughtUp = answer.batches
      else yield* answer.batches
      if (signal.aborted) return
    }
    const watcher: Watcher = {
      request,
      queue: [...caughtUp],
      queued: 0,
      reached: this.#past().revision,
      failure: undefined,
      wake: undefined,
    }
    const group = this.#groupOf(request)
    group.add(watcher)
    const stop = (): void => watcher.wake?.()
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        if (watcher.queue.length > 0) {
          const batches = watcher.queue
          watcher.queue = []
          watcher.queued = 0
          for (const batch of batches) {
            if (signal.aborted) return
            yield batch
          }
        } else if (watcher.failure !== undefined) throw watcher.failure
        else {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', stop)
      group.delete(watcher)
      if (group.size === 0 && group !== this.#others) this.#byPrefix.delete(request.key)
    }
  }

  /** After a snapshot replaced the store: nobody can be told without a gap. */
  restart(): void {
    this.#failAll(new JangadaError('JGD_COMPACTED', 'the store was replaced by a snapshot'))
  }

  close(error: JangadaError): void {
    this.#failure = error
    this.#failAll(error)
  }

  #failAll(error: JangadaError): void {
    for (const group of [...this.#byPrefix.values(), this.#others]) {
      for (const watcher of group) {
        watcher.failure = error
        watcher.wake?.()
      }
    }
  }

  #give(watcher: Watcher, batch: EventBatch): void {
    if (watcher.failure !== undefined || batch.revision < watcher.request.fromRevision) return
    assert(batch.revision > watcher.reached, 'a watcher is told each revision once, in order')
    watcher.reached = batch.revision
    if (watcher.queued + batch.events.length > maxEventsBehind) {
      watcher.failure = new JangadaError('JGD_OVERLOADED', 'this watch fell too far behind', {
        hint: 'list the range again and watch from the revision of that list',
      })
    } else {
      watcher.queue.push(batch)
      watcher.queued += batch.events.length
    }
    watcher.wake?.()
  }

  #groupOf(request: WatchRequest): Set<Watcher> {
    const isPrefix = request.key.endsWith('/') && request.rangeEnd === prefixEnd(request.key)
    if (!isPrefix) return this.#others
    let group = this.#byPrefix.get(request.key)
    if (group === undefined) {
      group = new Set()
      this.#byPrefix.set(request.key, group)
    }
    return group
  }

  *#watchersOf(key: string): Generator<Watcher> {
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const group = this.#byPrefix.get(key.slice(0, slash + 1))
      if (group !== undefined) yield* group
    }
    for (const watcher of this.#others) {
      const { key: start, rangeEnd } = watcher.request
      if (rangeEnd === undefined ? key === start : key >= start && key < rangeEnd) yield watcher
    }
  }
}

const compacted = (from: Revision): JangadaError =>
  new JangadaError('JGD_COMPACTED', `revision ${from} is no longer remembered`, {
    hint: 'list the range again and watch from the revision of that list',
  })
