/** What a run of seeds tells people. */
import { type FaultKind, faultKinds } from './faults.ts'
import type { SeedResult } from './simulation.ts'

export function tellFailure(result: SeedResult, say: (line: string) => void): void {
  say(`seed ${result.seed} FAILED after ${Math.round(result.simulatedMs)} ms: ${result.failure}`)
  for (const line of result.timeline) say(`  ${line}`)
  say(`  again: npm run sim -- --seed ${result.seed} --verbose`)
}

export class Totals {
  readonly #faults = new Map<FaultKind, number>()
  readonly #operations = new Map<string, number>()
  readonly #calmAfterMs: number[] = []
  #simulatedMs = 0
  #events = 0
  #seeds = 0
  failed = 0

  add(result: SeedResult): void {
    this.#seeds += 1
    if (result.failure === undefined) this.#calmAfterMs.push(result.healedAfterMs)
    else this.failed += 1
    this.#simulatedMs += result.simulatedMs
    this.#events += result.events
    for (const [kind, count] of result.faults) addTo(this.#faults, kind, count)
    for (const [kind, count] of Object.entries(result.operations)) {
      addTo(this.#operations, kind, count)
    }
  }

  count(kind: FaultKind): number {
    return this.#faults.get(kind) ?? 0
  }

  lines(): string[] {
    const faults = faultKinds.map((kind) => `  ${kind.padEnd(18)} ${this.count(kind)}`)
    const told = [...this.#operations].map(([kind, count]) => `${count} ${kind}`).join(', ')
    const seconds = Math.round(this.#simulatedMs / 1000)
    const calm = this.#calmAfterMs.toSorted((a, b) => a - b)
    const median = calm[Math.floor(calm.length / 2)] ?? 0
    return [
      'faults:',
      ...faults,
      `requests: ${told}`,
      `calm after healing: median ${median} ms, longest ${calm.at(-1) ?? 0} ms`,
      `${seconds} s of simulated time, ${this.#events} events, ${this.#seeds} seeds`,
    ]
  }
}

function addTo<K>(totals: Map<K, number>, key: K, count: number): void {
  totals.set(key, (totals.get(key) ?? 0) + count)
}
