/**
 * Watches against the plainest one there is: all changes ever, filtered. Whatever the reader does
 * (keeps up, sleeps, begins in the past, goes on elsewhere from what it was told last), it is told
 * each change of its range once and in order, or that the history no longer goes back so far.
 */
import fc from 'fast-check'
import t from 'tap'
import { isJangadaError } from '../../../src/base/errors.ts'
import { index, revision, term } from '../../../src/base/ids.ts'
import { SnapshotRestore } from '../../../src/core/store/snapshot-restore.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { Command, EventBatch } from '../../../src/core/store/types.ts'
import { maxBytesQueued, WatchHub } from '../../../src/node/member/watch-hub.ts'
import { compact, del, put, transaction } from '../../core/store/fixture.ts'

const limits = { maxRevisions: 20, maxBytes: 4 * 1_048_576 }

class World {
  store = new Store(limits)
  readonly hub = new WatchHub(() => this.store)
  /** `revision key` of every change there ever was. */
  readonly changes: { readonly revision: number; readonly key: string }[] = []
  #index = 0

  apply(command: Command): void {
    this.#index += 1
    const position = { index: index(this.#index), term: term(1) }
    const { batch, result } = this.store.apply(command, position)
    for (const event of batch?.events ?? []) {
      const key = event.kind === 'put' ? event.item.key : event.key
      this.changes.push({ revision: this.store.revision, key })
    }
    if (batch !== undefined) this.hub.publish(batch)
    else if (result.kind === 'compacted') this.hub.compacted()
  }

  /** As when this member fell behind: changes that it was not told, then a snapshot. */
  jump(commands: readonly Command[]): void {
    const ahead = copyOf(this.store)
    for (const command of commands) {
      this.#index += 1
      const { batch } = ahead.apply(command, { index: index(this.#index), term: term(1) })
      for (const event of batch?.events ?? []) {
        const key = event.kind === 'put' ? event.item.key : event.key
        this.changes.push({ revision: ahead.revision, key })
      }
    }
    this.store = copyOf(ahead)
    this.hub.restart()
  }
}

function copyOf(store: Store): Store {
  const restore = new SnapshotRestore(limits)
  for (const chunk of store.snapshotChunks()) restore.push(chunk)
  const result = restore.finish()
  if (result.kind === 'fault') throw new Error(result.reason)
  return result.store
}

interface Range {
  readonly key: string
  readonly rangeEnd?: string
}

/** Reads only when told to, and begins again where it was after a break. */
class Reader {
  readonly told: { readonly revision: number; readonly key: string }[] = []
  readonly range: Range
  readonly #hub: WatchHub
  from: number
  reached: number
  outcome: 'open' | 'compacted' = 'open'
  #iterator: AsyncIterator<EventBatch> | undefined
  #waiting: Promise<void> | undefined

  constructor(hub: WatchHub, range: Range, from: number) {
    this.#hub = hub
    this.range = range
    this.from = from
    this.reached = from - 1
  }

  /** Takes at most one batch; what is not there yet is taken by a later call. */
  async read(): Promise<void> {
    if (this.outcome === 'compacted') return
    const request = { ...this.range, fromRevision: revision(this.reached + 1) }
    this.#iterator ??= this.#hub.watch(request, new AbortController().signal)
    this.#waiting ??= this.#next(this.#iterator)
    await Promise.race([this.#waiting, turn()])
  }

  async #next(iterator: AsyncIterator<EventBatch>): Promise<void> {
    try {
      const { value, done } = await iterator.next()
      if (done === true || iterator !== this.#iterator) return
      const { revision: at, events } = value
      for (const event of events) {
        this.told.push({ revision: at, key: event.kind === 'put' ? event.item.key : event.key })
      }
      this.reached = Math.max(this.reached, at)
    } catch (error) {
      if (!isJangadaError(error, 'JGD_COMPACTED')) throw error
      this.outcome = 'compacted'
    }
    this.#waiting = undefined
  }

  /** The connection breaks; the next read goes on from what was told last. */
  break(): void {
    void this.#iterator?.return?.()
    this.#iterator = undefined
    this.#waiting = undefined
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const key = fc.constantFrom('a/1', 'a/2', 'b/1', 'b/2', 'c')
const write: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: key.map((at) => transaction([put(at)])) },
  { weight: 2, arbitrary: key.map((at) => transaction([del(at)])) },
  { weight: 2, arbitrary: fc.constant(transaction([put('a/1'), put('b/1'), put('c')])) },
  { weight: 1, arbitrary: fc.nat(60).map(compact) },
  // Three of these are more than a queue holds.
  { weight: 1, arbitrary: key.map((at) => transaction([put(at, 'x'.repeat(maxBytesQueued / 2))])) },
)
const range: fc.Arbitrary<Range> = fc.constantFrom(
  { key: 'a/', rangeEnd: 'a0' },
  { key: 'b/', rangeEnd: 'b0' },
  { key: 'a/2', rangeEnd: 'c' },
  { key: 'c' },
)
type Step =
  | { readonly kind: 'write'; readonly command: Command }
  | { readonly kind: 'jump'; readonly commands: readonly Command[] }
  | { readonly kind: 'open'; readonly range: Range; readonly back: number }
  | { readonly kind: 'read' | 'break'; readonly reader: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: write.map((command): Step => ({ kind: 'write', command })) },
  {
    weight: 1,
    arbitrary: fc
      .array(write, { maxLength: 5 })
      .map((commands): Step => ({ kind: 'jump', commands })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(range, fc.nat(12)).map(([one, back]): Step => {
      return { kind: 'open', range: one, back }
    }),
  },
  { weight: 8, arbitrary: fc.nat(5).map((reader): Step => ({ kind: 'read', reader })) },
  { weight: 1, arbitrary: fc.nat(5).map((reader): Step => ({ kind: 'break', reader })) },
)

const inRange = ({ key: from, rangeEnd }: Range, at: string): boolean =>
  rangeEnd === undefined ? at === from : at >= from && at < rangeEnd

t.test('each reader is told every change once and in order, or that it is too late', async (t) => {
  let compactions = 0
  let whole = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
      const world = new World()
      const readers: Reader[] = []
      for (const one of steps) {
        if (one.kind === 'write') world.apply(one.command)
        else if (one.kind === 'jump') world.jump(one.commands)
        else if (one.kind === 'open') {
          const from = Math.max(1, world.store.revision + 1 - one.back)
          readers.push(new Reader(world.hub, one.range, from))
        } else if (one.kind === 'read') await readers[one.reader]?.read()
        else readers[one.reader]?.break()
      }
      for (const reader of readers) {
        for (let before = -1; before < reader.reached && reader.outcome === 'open';) {
          before = reader.reached
          for (let more = 0; more < 40; more += 1) await reader.read()
        }
        const expected = world.changes.filter(
          (change) => change.revision >= reader.from && inRange(reader.range, change.key),
        )
        if (reader.outcome === 'compacted') {
          compactions += 1
          t.same(reader.told, expected.slice(0, reader.told.length), 'no gap before the end')
          t.ok(reader.reached + 1 < world.store.floor, 'it was really too late')
        } else {
          whole += 1
          t.same(reader.told, expected)
          t.ok(reader.reached + 1 >= world.store.floor, 'it can go on elsewhere')
        }
      }
    }),
    { numRuns: 150 },
  )
  t.ok(compactions > 20 && whole > 100, `${compactions} too late, ${whole} whole`)
})

t.test('a reader that never reads holds at most one queue, and catches up', async (t) => {
  const world = new World()
  const reader = new Reader(world.hub, { key: 'big' }, 1)
  await reader.read()
  for (let n = 0; n < 12; n += 1) world.apply(transaction([put('big', 'x'.repeat(300_000))]))
  for (let n = 0; n < 20; n += 1) await reader.read()
  t.same(
    reader.told.map((one) => one.revision),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  )
})

t.test('a reader that sleeps past the history is told so, with what is left', async (t) => {
  const world = new World()
  const signal = new AbortController().signal
  const watch = world.hub.watch({ key: 'a/1', fromRevision: revision(1) }, signal)
  const first = watch.next()
  world.apply(transaction([put('a/1')]))
  t.match(await first, { value: { revision: 1 } }, 'it keeps up so far')
  for (let n = 0; n < 60; n += 1) world.apply(transaction([put('a/1', 'x'.repeat(200_000))]))
  let reached = 0
  const error = await (async () => {
    for await (const { revision: at } of watch) reached = at
  })().catch((cause: unknown) => cause)
  t.match(error, { code: 'JGD_COMPACTED', details: { floor: world.store.floor } })
  t.ok(reached > 1 && reached < world.store.floor, `it was told up to ${reached}`)
})

t.test('watchers of what never changes hear how far the store has come', async (t) => {
  const world = new World()
  const reader = new Reader(world.hub, { key: 'quiet' }, 1)
  for (let n = 0; n < 100; n += 1) {
    world.apply(transaction([put('loud', String(n))]))
    await reader.read()
    await reader.read()
    t.ok(reader.reached + 1 >= world.store.floor, `at revision ${world.store.revision}`)
    if (n % 10 === 0) reader.break()
  }
  world.apply(compact(world.store.revision))
  await reader.read()
  t.equal(reader.reached, world.store.revision)
  t.equal(reader.outcome, 'open')
})

t.test('a word that waits unread does not stand for what was forgotten since', async (t) => {
  const world = new World()
  const signal = new AbortController().signal
  const watch = world.hub.watch({ key: 'quiet', fromRevision: revision(1) }, signal)
  const first = watch.next()
  for (let n = 0; n < 100; n += 1) world.apply(transaction([put('loud', String(n))]))
  world.apply(compact(world.store.revision))
  t.same((await first).value, { revision: 100, events: [] }, 'it can go on elsewhere from here')
})
