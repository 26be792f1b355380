/**
 * Tells watchers what each applied command changed. Most watches are of a prefix that ends in
 * `/` (a machine's placements, all units), so an event finds them by the slashes of its key;
 * the few others are tried one by one.
 *
 * A watcher that keeps up has a short queue. One that does not is given nothing more to hold: it
 * reads on from the store's history at its own pace, as far as that goes back, and joins the
 * others again once it has caught up. So no reader, however slow, costs more than its queue.
 */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
import { prefixEnd } from '../../core/records/record.ts'
import type { EventBatch, HistoryAnswer, StoreEvent } from '../../core/store/types.ts'
import type { WatchRequest } from './store-access.ts'

/** Keys and values in one watcher's queue; a single batch may be larger. */
export const maxBytesQueued = 1_048_576
/** What a queued event costs beside its key and value, roughly. */
const eventOverheadBytes = 128

interface Watcher {
  readonly request: WatchRequest
  queue: EventBatch[]
  /** Invariant: at most `maxBytesQueued`, or `queue` has one batch. */
  bytesQueued: number
  /**
   * Everything below it was queued. While `isBehind`, the watcher reads on from here in the
   * history; otherwise it is told whatever is published from here on.
   */
  next: Revision
  isBehind: boolean
  failure: JangadaError | undefined
  wake: (() => void) | undefined
}

/** The past, as `Store` remembers it. */
export interface Past {
  readonly revision: Revision
  readonly floor: Revision
  history(from: Revision, key: string, rangeEnd: string | undefined): HistoryAnswer
}

export class WatchHub {
  readonly #byPrefix = new Map<string, Set<Watcher>>()
  readonly #others = new Set<Watcher>()
  readonly #past: () => Past
  /** The last revision that was published here. */
  #published: Revision
  /** Every watcher that keeps up was told of this revision, or began after it. */
  #progress: Revision
  #failure: JangadaError | undefined

  /** `past` is asked anew each time: a snapshot from the leader replaces the store. */
  constructor(past: () => Past) {
    this.#past = past
    this.#published = past().revision
    this.#progress = this.#published
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
    this.#published = batch.revision
    for (const [watcher, events] of touched) this.#give(watcher, { ...batch, events })
    this.compacted()
  }

  /**
   * The floor may have risen. Watchers of what seldom changes are told how far the store has come
   * before that is forgotten, so that they can always go on elsewhere from what they were told.
   */
  compacted(): void {
    if (this.#past().floor < this.#progress) return
    this.#progress = this.#published
    for (const watcher of this.#all()) {
      if (watcher.isBehind || watcher.next > this.#published) continue
      // Of words that tell only how far the store has come, the last one is enough.
      if (watcher.queue.at(-1)?.events.length === 0) watcher.queue.pop()
      this.#give(watcher, { revision: this.#published, events: [] })
    }
  }

  /**
   * See `StoreAccess.watch`. A batch without events says that everything up to its revision was
   * told: one comes as soon as the watch has caught up, unless it began there.
   */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<EventBatch> {
    const watcher: Watcher = {
      request,
      queue: [],
      bytesQueued: 0,
      next: request.fromRevision,
      isBehind: true,
      failure: this.#failure,
      wake: undefined,
    }
    const group = this.#groupOf(request)
    group.add(watcher)
    const stop = (): void => watcher.wake?.()
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        const batches = this.#take(watcher)
        for (const batch of batches) {
          if (signal.aborted) return
          yield batch
        }
        if (batches.length > 0 || watcher.isBehind) continue
        await new Promise<void>((resolve) => {
          watcher.wake = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', stop)
      group.delete(watcher)
      const isLast = group.size === 0 && this.#byPrefix.get(request.key) === group
      if (isLast) this.#byPrefix.delete(request.key)
    }
  }

  /** After a snapshot replaced the store: what was missed stands in its history, or is gone. */
  restart(): void {
    const next = revision(this.#published + 1)
    for (const watcher of this.#all()) {
      if (!watcher.isBehind && watcher.next < next) watcher.next = next
      watcher.isBehind = true
      watcher.wake?.()
    }
    this.#published = this.#past().revision
    this.#progress = this.#published
  }

  close(error: JangadaError): void {
    this.#failure = error
    for (const watcher of this.#all()) {
      watcher.failure = error
      watcher.wake?.()
    }
  }

  /** What waits for this watcher, or a stretch of the past. Throws what ends the watch. */
  #take(watcher: Watcher): readonly EventBatch[] {
    if (watcher.queue.length > 0) {
      const batches = watcher.queue
      watcher.queue = []
      watcher.bytesQueued = 0
      return batches
    }
    if (watcher.failure !== undefined) throw watcher.failure
    if (!watcher.isBehind) return []
    const past = this.#past()
    const { key, rangeEnd } = watcher.request
    const answer = past.history(watcher.next, key, rangeEnd)
    if (answer.kind === 'compacted') throw compacted(watcher.next, answer.floor)
    watcher.next = answer.next
    // In the same turn: nothing is published between the last look at the past and from now on.
    watcher.isBehind = answer.next <= past.revision
    const told = answer.batches.at(-1)?.revision ?? 0
    const isNews = told < past.revision && past.revision >= watcher.request.fromRevision
    if (watcher.isBehind || !isNews) return answer.batches
    return [...answer.batches, { revision: past.revision, events: [] }]
  }

  #give(watcher: Watcher, batch: EventBatch): void {
    if (watcher.isBehind || batch.revision < watcher.request.fromRevision) return
    assert(batch.revision >= watcher.next, 'a watcher is told each revision once, in order')
    const bytes = bytesOf(batch)
    if (watcher.queue.length > 0 && watcher.bytesQueued + bytes > maxBytesQueued) {
      watcher.next = batch.revision
      watcher.isBehind = true
    } else {
      watcher.next = revision(batch.revision + 1)
      watcher.queue.push(batch)
      watcher.bytesQueued += bytes
    }
    watcher.wake?.()
  }

  *#all(): Generator<Watcher> {
    for (const group of this.#byPrefix.values()) yield* group
    yield* this.#others
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

function bytesOf({ events }: EventBatch): number {
  let bytes = 0
  for (const event of events) {
    bytes += eventOverheadBytes
    if (event.kind === 'put') bytes += event.item.key.length + event.item.value.length
    else bytes += event.key.length
  }
  return bytes
}

const compacted = (from: Revision, floor: Revision): JangadaError =>
  new JangadaError('JGD_COMPACTED', `revision ${from} is no longer remembered`, {
    hint: 'list the range again and watch from the revision of that list',
    details: { floor },
  })
