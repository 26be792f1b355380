/**
 * Virtual time. Nothing here waits: the next event is simply the next thing that happens. One
 * seed gives one history, because events due at the same microsecond run in the seed's order and
 * everything that follows from one event is over before the next begins.
 */
import { assert } from '../../src/base/assert.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { Clock, Timer } from '../../src/ports/clock.ts'

interface Event {
  readonly dueUs: number
  readonly order: number
  readonly sequence: number
  fire: (() => void) | undefined
}

/**
 * The one queue of a simulated world. Its time is true time, which no node sees: nodes see a
 * `SimulatedClock`. Whole microseconds, so that sums are exact.
 */
export class SimulatedTime {
  readonly #random: SeededRandom
  readonly #heap: Event[] = []
  #nowUs = 0
  #sequence = 0
  #steps = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  get nowMs(): number {
    return this.#nowUs / 1000
  }

  /** Events that will still fire. */
  get pending(): number {
    return this.#heap.reduce((count, event) => count + (event.fire === undefined ? 0 : 1), 0)
  }

  /** Calls `fire` once, `delayMs` of true time from now, rounded up to a microsecond. */
  after(delayMs: number, fire: () => void): Timer {
    assert(!Number.isNaN(delayMs), 'a delay is a number')
    const delayUs = Math.ceil(Math.max(0, delayMs) * 1000)
    this.#sequence += 1
    const dueUs = this.#nowUs + delayUs
    const event: Event = { dueUs, order: this.#random.uint32(), sequence: this.#sequence, fire }
    push(this.#heap, event)
    return {
      cancel: () => {
        event.fire = undefined
      },
    }
  }

  /** Runs everything due within `ms` and leaves the time exactly that much later. */
  async runFor(ms: number): Promise<void> {
    const endUs = this.#nowUs + Math.ceil(ms * 1000)
    await this.#run(() => false, endUs)
    this.#nowUs = endUs
  }

  /** Runs until `condition` holds; false when `limitMs` of true time have passed before it did. */
  async runUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
    const endUs = this.#nowUs + Math.ceil(limitMs * 1000)
    const holds = await this.#run(condition, endUs)
    if (!holds) this.#nowUs = endUs
    return holds
  }

  /**
   * Runs what is due up to `endUs` until `condition` holds, which is asked before each event; true when
   * it did. One event follows the other without a promise between them: there are millions.
   */
  #run(condition: () => boolean, endUs: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const next = (): void => {
      try {
        if (condition()) resolve(true)
        else if (this.#nextDueUs() > endUs) resolve(false)
        else {
          this.#fireNext()
          if (this.#steps % eventsPerTurn === 0) setImmediate(next)
          else afterAll(next)
        }
      } catch (error) {
        reject(error)
      }
    }
    afterAll(next)
    return promise
  }

  #fireNext(): void {
    const event = pop(this.#heap)
    assert(event?.fire !== undefined && event.dueUs >= this.#nowUs, 'time does not go back')
    this.#nowUs = event.dueUs
    this.#steps += 1
    event.fire()
  }

  /** Runs until `promise` settles, for at most `limitMs` of true time, and gives its outcome. */
  async runUntilSettled<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    const done = await this.runUntil(() => settled, limitMs)
    assert(done, `the promise settles within ${limitMs} ms of simulated time`)
    return promise
  }

  #nextDueUs(): number {
    while (this.#heap[0] !== undefined && this.#heap[0].fire === undefined) pop(this.#heap)
    return this.#heap[0]?.dueUs ?? Infinity
  }
}

/**
 * Lets every promise that can settle do so. Node runs a tick that a microtask asked for once the
 * microtask queue is empty, however long the chains in it are; nothing in the simulation waits
 * for real I/O. A turn of the event loop would do the same and take ten times as long.
 */
export const settle = (): Promise<void> => new Promise(afterAll)

function afterAll(call: () => void): void {
  queueMicrotask(() => process.nextTick(call))
}

/** Between ticks Node neither tells of a rejection that nobody handled nor hears a signal. */
const eventsPerTurn = 256

export interface SimulatedClockOptions {
  /** Local milliseconds per true millisecond; 1.01 is a clock that runs 1 % fast. */
  readonly rate?: number
  /** What `wallMs` says at true time zero. */
  readonly wallMsAtZero?: number
  /** Timers fire up to this much late, by the seed, as they do on a busy machine. */
  readonly timerLatenessMsMax?: number
}

/** 2026-01-01: any date will do, as long as it is the same in every run. */
const wallMsAtZeroDefault = 1_767_225_600_000

/** One process's clocks. A new process on the same machine gets a new one. */
export class SimulatedClock implements Clock {
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  #rate: number
  /** The clock's reading when `#rate` began, and the true time then. */
  #rateSinceMs = 0
  #rateSinceTrueMs: number
  readonly #timerLatenessMsMax: number
  #wallOffsetMs: number
  #state: 'running' | 'paused' | 'stopped' = 'running'
  /** Timers that came due during a pause; they fire when it ends. */
  #late: (() => void)[] = []

  constructor(time: SimulatedTime, random: SeededRandom, options: SimulatedClockOptions = {}) {
    this.#time = time
    this.#random = random
    this.#rate = options.rate ?? 1
    assert(this.#rate > 0, 'a clock goes forward')
    this.#rateSinceTrueMs = time.nowMs
    this.#timerLatenessMsMax = options.timerLatenessMsMax ?? 0
    this.#wallOffsetMs = (options.wallMsAtZero ?? wallMsAtZeroDefault) + time.nowMs * this.#rate
  }

  monotonicMs(): number {
    return this.#rateSinceMs + (this.#time.nowMs - this.#rateSinceTrueMs) * this.#rate
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.monotonicMs())
  }

  after(delayMs: number, fire: () => void): Timer {
    if (this.#state === 'stopped') return { cancel: () => undefined }
    let cancelled = false
    const dueMs = this.monotonicMs() + Math.max(0, delayMs)
    const ring = (): void => {
      if (cancelled || this.#state === 'stopped') return
      if (this.#state === 'paused') this.#late.push(ring)
      else if (this.monotonicMs() < dueMs) arm(this.#trueMsUntil(dueMs))
      else fire()
    }
    let timer: Timer
    const arm = (trueMs: number): void => {
      timer = this.#time.after(trueMs, ring)
    }
    const latenessMs = this.#random.fraction() * this.#timerLatenessMsMax
    arm(Math.max(0, delayMs) / this.#rate + latenessMs)
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      },
    }
  }

  /** An event is a turn, and all that follows from it is over before the next begins. */
  atTurnsEnd(fire: () => void): void {
    queueMicrotask(() => {
      if (this.#state !== 'stopped') fire()
    })
  }

  /**
   * Never sooner is the port's promise: what is left when the rate fell, and at least the microsecond by
   * which a product of fractions may round to just below.
   */
  #trueMsUntil(dueMs: number): number {
    return Math.max(0.001, (dueMs - this.monotonicMs()) / this.#rate)
  }

  /**
   * From here on the clock runs at another rate, without a jump. Timers that are set may fire late
   * by the difference, and never early.
   */
  setRate(rate: number): void {
    assert(rate > 0, 'a clock goes forward')
    this.#rateSinceMs = this.monotonicMs()
    this.#rateSinceTrueMs = this.#time.nowMs
    this.#rate = rate
  }

  /** The wall clock jumps, as when NTP or a person sets it. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** The process stands still, as under SIGSTOP: its clock goes on and its timers wait. */
  pause(): void {
    assert(this.#state === 'running', 'only a running process pauses')
    this.#state = 'paused'
  }

  resume(): void {
    assert(this.#state === 'paused', 'only a paused process resumes')
    this.#state = 'running'
    const late = this.#random.shuffle(this.#late)
    this.#late = []
    for (const ring of late) this.#time.after(0, ring)
  }

  get paused(): boolean {
    return this.#state === 'paused'
  }

  /** The process is gone: none of its timers ever fires, and new ones are not taken. */
  stop(): void {
    this.#state = 'stopped'
    this.#late = []
  }
}

function before(a: Event, b: Event): boolean {
  if (a.dueUs !== b.dueUs) return a.dueUs < b.dueUs
  if (a.order !== b.order) return a.order < b.order
  return a.sequence < b.sequence
}

/** Invariant of the heap: no event is before its parent, which is at half its place. */
function push(heap: Event[], event: Event): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent] as Event
    if (!before(event, above)) break
    heap[at] = above
    at = parent
  }
  heap[at] = event
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const rightIsFirst = right < heap.length && before(heap[right] as Event, heap[left] as Event)
    const child = rightIsFirst ? right : left
    if (!before(heap[child] as Event, last)) break
    heap[at] = heap[child] as Event
    at = child
  }
  heap[at] = last
  return first
}
