/** Histories to try a checker on, and a checker that is slow and plain. */
import type { SeededRandom } from '../../src/base/random.ts'
import type { Operation } from './operation.ts'

/** Of one key: tries every order that the times allow. For up to about eight operations. */
export function tryEveryOrder(operations: readonly Operation[]): boolean {
  const said = operations.filter(({ op, ok }) => {
    return op === 'put' ? ok !== false : op === 'cas' || ok === true
  })
  return canGoOn(said, null)
}

function canGoOn(left: readonly Operation[], held: string | null): boolean {
  if (left.every(({ ok }) => ok === null)) return true
  const firstEnd = Math.min(...left.map(({ ok, end }) => (ok === null ? Infinity : (end ?? 0))))
  return left.some((next) => {
    if (next.start > firstEnd) return false
    const { op, ok, value, expected } = next
    const others = left.filter((each) => each !== next)
    if (op === 'get') return held === value && canGoOn(others, held)
    const isFitting = op === 'put' || held === expected
    if (ok === null) return canGoOn(others, isFitting ? value : held)
    return isFitting === ok && canGoOn(others, ok ? value : held)
  })
}

/** Of a store that is right: each operation takes effect at one moment while it is under way. */
export function atomicHistory(
  random: SeededRandom,
  { operations: count, clients }: { readonly operations: number; readonly clients: number },
): Operation[] {
  const planned = planOf(random, count, clients)
  const held = new Map<string, string | null>()
  const effects = planned.toSorted((a, b) => a.at - b.at)
  const done = effects.map(({ operation, isLost }): Operation => {
    const { op, key, value, expected } = operation
    const now = held.get(key) ?? null
    if (op === 'get') return { ...operation, value: now }
    // Half of what swaps expect is what is there, or few would succeed.
    const wanted = op === 'cas' && random.chance(0.5) ? now : expected
    const isFitting = op === 'put' || wanted === now
    if (isFitting && !(isLost && random.chance(0.5))) held.set(key, value)
    const told = { ...operation, expected: op === 'cas' ? wanted : null }
    return isLost ? { ...told, ok: null, end: null } : { ...told, ok: isFitting }
  })
  return done.toSorted((a, b) => a.start - b.start)
}

interface Planned {
  readonly operation: Operation
  readonly at: number
  readonly isLost: boolean
}

function planOf(random: SeededRandom, count: number, clients: number): Planned[] {
  const freeAt = Array.from({ length: clients }, () => ({ at: 0, name: 0 }))
  for (const [at, each] of freeAt.entries()) each.name = at + 1
  let names = clients
  return Array.from({ length: count }, (_, number): Planned => {
    const client = random.pick(freeAt)
    const start = client.at + random.integer(1, 20)
    const at = start + random.integer(0, 20)
    const end = at + random.integer(0, 20)
    const op = random.pick(['get', 'put', 'cas'] as const)
    const key = `k${random.integer(1, 4)}`
    const isLost = op !== 'get' && random.chance(0.03)
    const name = client.name
    client.at = end
    if (isLost) client.name = names += 1
    const [value, expected] = [op === 'get' ? null : `w${number}`, null]
    // What is lost may take effect long after its client went on.
    const effectAt = isLost ? at + random.integer(0, 200) : at
    const operation = { client: name, op, key, value, expected, ok: true, start, end }
    return { operation, at: effectAt, isLost }
  })
}

/**
 * One read that began after two writes, one after the other, now tells the first: values are
 * unique, so nothing can have brought that back. Returns its line, counted from 1.
 */
export function staleRead(history: readonly Operation[]): {
  readonly altered: Operation[]
  readonly line: number
} {
  const puts = history.filter(({ op, ok }) => op === 'put' && ok === true)
  const at = history.findLastIndex(({ op, ok }) => op === 'get' && ok === true)
  for (let line = at; line >= 0; line -= 1) {
    const read = history[line]
    if (read?.op !== 'get') continue
    const before = puts.filter(({ key, end }) => key === read.key && (end ?? 0) < read.start)
    const old = before.find(({ end }) => before.some((later) => later.start > (end ?? Infinity)))
    if (old === undefined) continue
    const altered = history.with(line, { ...read, value: old.value })
    return { altered, line: line + 1 }
  }
  throw new Error('the history has no read after two writes of its key')
}
