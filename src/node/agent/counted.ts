/** What an agent counts of itself: how often it is woken, and what it asks of its engine. */
import type { Containers } from '../../ports/containers.ts'
import type { Metrics } from '../../ports/metrics.ts'

/**
 * Why an agent compares what should run with what runs: its own `placements` changed (or a unit's file
 * was read for one), its `engine` told of a change, a `work` of its own went on, its `fence` changed,
 * or time alone asks for it (`clock`): a pause that is over, or the list of every ten seconds.
 */
export type LookCause = 'placements' | 'engine' | 'work' | 'fence' | 'clock'

export const countLook = (metrics: Metrics, by: LookCause): void =>
  metrics.count('jangada_agent_looks_total', { by })

/** The same engine; each call of it is counted by its name. */
export function countedEngine(containers: Containers, metrics: Metrics): Containers {
  return new Proxy(containers, {
    get(target, name: keyof Containers) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      return (...words: readonly unknown[]): unknown => {
        metrics.count('jangada_engine_calls_total', { call: name })
        return Reflect.apply(method, target, words)
      }
    },
  })
}
