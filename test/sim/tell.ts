/** What a run of seeds tells people. */
import { effectKinds } from './effects.ts'
import { faultKinds } from './faults/kinds.ts'
import type { SeedResult } from './simulation.ts'

export function tellFailure(result: SeedResult, say: (line: string) => void): void {
  const afterMs = Math.round(result.simulatedMs)
  say(`seed ${result.seed} FAILED after ${afterMs} ms: ${result.failure}`)
  for (const line of result.timeline) say(`  ${line}`)
  say(`  again: npm run sim -- --seed ${result.seed} --verbose`)
  say(`  up to a moment before: npm run sim -- --seed ${result.seed} --until ${afterMs - 10}`)
}

export class Totals {
  readonly #happened = new Map<string, number>()
  readonly #operations = new Map<string, number>()
  readonly #calmAfterMs: number[] = []
  readonly #machines: number[] = []
  #simulatedMs = 0
  #events = 0
  seeds = 0
  readonly failed: number[] = []

  add(result: SeedResult): void {
    this.seeds += 1
    if (result.failure === undefined) this.#calmAfterMs.push(result.healedAfterMs)
    else this.failed.push(result.seed)
    this.#machines.push(result.machines)
    this.#simulatedMs += result.simulatedMs
    this.#events += result.events
    const happened = { ...result.faults, ...result.effects }
    for (const [kind, count] of Object.entries(happened)) addTo(this.#happened, kind, count)
    for (const [kind, count] of Object.entries(result.operations)) {
      addTo(this.#operations, kind, count)
    }
  }

  /** Kinds of faults, and of what comes of them, that never happened. */
  get missing(): string[] {
    return [...faultKinds, ...effectKinds].filter((kind) => !this.#happened.get(kind))
  }

  lines(): string[] {
    const list = (kinds: readonly string[]): string[] =>
      kinds.map((kind) => `  ${kind.padEnd(18)} ${this.#happened.get(kind) ?? 0}`)
    const told = [...this.#operations].map(([kind, count]) => `${count} ${kind}`).join(', ')
    const seconds = Math.round(this.#simulatedMs / 1000)
    const calm = this.#calmAfterMs.map(Math.round).toSorted((a, b) => a - b)
    const median = calm[Math.floor(calm.length / 2)] ?? 0
    const sizes = `${Math.min(...this.#machines)} to ${Math.max(...this.#machines)} machines`
    return [
      'faults:',
      ...list(faultKinds),
      'what came of them, and of time:',
      ...list(effectKinds),
      `requests: ${told}`,
      `calm after healing: median ${median} ms, longest ${calm.at(-1) ?? 0} ms`,
      `${seconds} s of simulated time, ${this.#events} events, ${this.seeds} seeds of ${sizes}`,
    ]
  }
}

function addTo<K>(totals: Map<K, number>, key: K, count: number): void {
  totals.set(key, (totals.get(key) ?? 0) + count)
}
