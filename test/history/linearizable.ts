/**
 * Is there, for each key, one order of all operations in which each takes effect at one moment
 * between its start and its end, and every answer is what that order gives? Keys are independent
 * (Herlihy and Wing 1990, locality), so each is decided alone.
 *
 * The search is the just-in-time form of Wing and Gong's (G. Lowe, "Testing for linearizability",
 * 2017): it walks through starts and ends in the order of their times, and keeps every situation
 * the key may be in. An operation is put into the order only when some end demands it. What can
 * do no more than another situation is forgotten (`Situations`).
 */
import { assert } from '../../src/base/assert.ts'
import type { Operation } from './operation.ts'

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** `operation` is the first that ended with what no order explains; `mayHold` is what could be. */
  | {
      readonly kind: 'broken'
      readonly operation: Operation
      readonly mayHold: readonly (string | null)[]
    }
  /** The search was given up: too many operations of `key` were under way at once. */
  | { readonly kind: 'undecided'; readonly key: string }

/** Situations looked at for one key: some seconds of work. */
const situationsMaxDefault = 1_000_000

export function checkHistory(
  operations: readonly Operation[],
  situationsMax = situationsMaxDefault,
): Verdict {
  let undecided: Verdict | undefined
  for (const [, ofKey] of Map.groupBy(operations, ({ key }) => key)) {
    const verdict = new KeySearch(ofKey, situationsMax).run()
    if (verdict.kind === 'broken') return verdict
    if (verdict.kind === 'undecided') undecided = verdict
  }
  return undecided ?? { kind: 'linearizable' }
}

/** What a key may hold. Values that nobody was told or asked for are all the same: `other`. */
type State = number
const absent: State = 0
const other: State = 1

interface Step {
  readonly operation: Operation
  readonly op: 'get' | 'put' | 'cas'
  readonly value: State
  readonly expected: State
  readonly isRefused: boolean
  /** Null: it may never happen. */
  readonly end: number | null
  /** Steps with the same effect are one as good as the other, so the one that ends first goes. */
  readonly effect: string
  /** Changes nothing: a read, or a cas that found something else. */
  readonly isRead: boolean
}

interface Situation {
  readonly state: State
  /** Of the steps under way, those that took effect. */
  readonly done: bigint
}

/** What the key holds after `step`, or undefined when it cannot be the next. */
function after(state: State, { op, value, expected, isRefused }: Step): State | undefined {
  if (op === 'put') return value
  if (op === 'get') return state === value ? state : undefined
  if (isRefused) return state === expected ? undefined : state
  return state === expected ? value : undefined
}

/** A key's steps under way, each with one bit. Those that may never happen keep theirs for ever. */
class UnderWay {
  readonly steps = new Map<bigint, Step>()
  readonly bits = new Map<Step, bigint>()
  readonly #free: bigint[] = []
  #next = 1n
  /** Bits of the steps that must happen and change something. */
  demanded = 0n
  reads = 0n

  add(step: Step): void {
    const bit = this.#free.pop() ?? this.#next
    if (bit === this.#next) this.#next <<= 1n
    this.steps.set(bit, step)
    this.bits.set(step, bit)
    if (step.isRead) this.reads |= bit
    else if (step.end !== null) this.demanded |= bit
  }

  remove(step: Step): bigint {
    const bit = this.bits.get(step)
    assert(bit !== undefined, 'a step ends once, after its start')
    this.steps.delete(bit)
    this.bits.delete(step)
    this.reads &= ~bit
    this.demanded &= ~bit
    this.#free.push(bit)
    return bit
  }

  /** With every read that can take place here: it changes nothing and is then off the list. */
  withReads({ state, done }: Situation): Situation {
    let more = done
    for (const [bit, step] of this.steps) {
      if (step.isRead && after(state, step) !== undefined) more |= bit
    }
    return { state, done: more }
  }

  /** The situations one change later. */
  *next({ state, done }: Situation): Generator<Situation> {
    const first = new Map<string, bigint>()
    for (const [bit, step] of this.steps) {
      if (step.isRead || (done & bit) !== 0n) continue
      const rival = this.steps.get(first.get(step.effect) ?? 0n)
      if (rival === undefined || endOf(step) < endOf(rival)) first.set(step.effect, bit)
    }
    for (const bit of first.values()) {
      const step = this.steps.get(bit) as Step
      const then = after(state, step)
      // One that need not happen and would change nothing is better kept.
      if (then === undefined || (then === state && step.end === null)) continue
      yield this.withReads({ state: then, done: done | bit })
    }
  }
}

const endOf = ({ end }: Step): number => end ?? Infinity

/**
 * Situations of which none can do at most what another can. With the same state and the same
 * demanded changes done, the better one has more reads behind it, and more of the steps that may
 * happen or not still before it.
 */
class Situations {
  readonly #underWay: UnderWay
  readonly #groups = new Map<string, Situation[]>()
  size = 0

  constructor(underWay: UnderWay) {
    this.#underWay = underWay
  }

  /** False when another one is as good. */
  add(situation: Situation): boolean {
    const { demanded } = this.#underWay
    const name = `${situation.state} ${situation.done & demanded}`
    const group = this.#groups.get(name) ?? []
    if (group.some((each) => this.#isAsGood(each, situation))) return false
    const kept = group.filter((each) => !this.#isAsGood(situation, each))
    kept.push(situation)
    this.#groups.set(name, kept)
    this.size += kept.length - group.length
    return true
  }

  #isAsGood(one: Situation, than: Situation): boolean {
    const { reads, demanded } = this.#underWay
    const hasItsReads = (than.done & reads & ~one.done) === 0n
    return hasItsReads && (one.done & ~than.done & ~reads & ~demanded) === 0n
  }

  *[Symbol.iterator](): Generator<Situation> {
    for (const group of this.#groups.values()) yield* group
  }
}

class KeySearch {
  readonly #key: string
  readonly #steps: readonly Step[]
  readonly #values: readonly (string | null)[]
  readonly #underWay = new UnderWay()
  #now = new Situations(this.#underWay)
  #left: number

  constructor(operations: readonly Operation[], situationsMax: number) {
    this.#key = operations[0]?.key ?? ''
    this.#left = situationsMax
    const names = new Map<string | null, State>([[null, absent]])
    const name = (value: string | null): void => {
      if (!names.has(value)) names.set(value, names.size + 1)
    }
    for (const { op, ok, value, expected } of operations) {
      if (op === 'get' && ok === true) name(value)
      if (op === 'cas') name(expected)
    }
    this.#steps = operations.flatMap((operation) => stepsOf(operation, names))
    this.#values = [null, '(something that nobody read)', ...[...names.keys()].slice(1)]
  }

  run(): Verdict {
    this.#now.add({ state: absent, done: 0n })
    for (const { step, isEnd } of momentsOf(this.#steps)) {
      if (!isEnd) this.#begin(step)
      else {
        const mayHold = this.#end(step)
        if (this.#left < 0) return { kind: 'undecided', key: this.#key }
        if (this.#now.size > 0) continue
        const values = [...mayHold].map((state) => this.#values[state] ?? null)
        return { kind: 'broken', operation: step.operation, mayHold: values }
      }
    }
    return { kind: 'linearizable' }
  }

  #begin(step: Step): void {
    this.#underWay.add(step)
    if (step.isRead) this.#become([...this.#now].map((each) => this.#underWay.withReads(each)))
  }

  /** Leaves the situations in which `step` took effect. Returns the states there were without it. */
  #end(step: Step): ReadonlySet<State> {
    const bit = this.#underWay.bits.get(step)
    assert(bit !== undefined, 'a step ends once, after its start')
    const seen = new Situations(this.#underWay)
    const mayHold = new Set<State>()
    const withIt: Situation[] = []
    // Breadth first: what took fewer steps is found first, and stands for what took more.
    let edge = [...this.#now]
    while (edge.length > 0 && this.#left >= 0) {
      const further: Situation[] = []
      for (const situation of edge) {
        if (!seen.add(situation)) continue
        this.#left -= 1
        if ((situation.done & bit) !== 0n) withIt.push(situation)
        else {
          mayHold.add(situation.state)
          further.push(...this.#underWay.next(situation))
        }
      }
      edge = further
    }
    this.#underWay.remove(step)
    this.#become(withIt.map(({ state, done }) => ({ state, done: done & ~bit })))
    return mayHold
  }

  #become(situations: readonly Situation[]): void {
    this.#now = new Situations(this.#underWay)
    for (const situation of situations) this.#now.add(situation)
  }
}

/** None for what says nothing: a read without an answer, a put that did not happen. */
function stepsOf(operation: Operation, names: ReadonlyMap<string | null, State>): Step[] {
  const { op, ok, end } = operation
  if ((op === 'get' && ok !== true) || (op === 'put' && ok === false)) return []
  const value = names.get(operation.value) ?? other
  const expected = names.get(operation.expected) ?? other
  const isRefused = op === 'cas' && ok === false
  const effect = op === 'put' ? `${value}` : `${expected} ${value}`
  const isRead = op === 'get' || isRefused
  return [
    { operation, op, value, expected, isRefused, end: ok === null ? null : end, effect, isRead },
  ]
}

interface Moment {
  readonly step: Step
  readonly isEnd: boolean
  readonly at: number
}

/** In the order of time; what begins when something else ends may have come before it. */
function momentsOf(steps: readonly Step[]): Moment[] {
  const moments = steps.flatMap((step): Moment[] => [
    { step, isEnd: false, at: step.operation.start },
    ...(step.end === null ? [] : [{ step, isEnd: true, at: step.end }]),
  ])
  return moments.toSorted((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))
}
