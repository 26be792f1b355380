/** Logs and metrics for the simulation: kept in memory, or shown when a seed is looked at. */
import type { Log, LogFields } from '../../src/ports/log.ts'
import type { MetricLabels, MetricName, Metrics } from '../../src/ports/metrics.ts'

export const noMetrics: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
}

/** Counters alone, for stories that count. */
export class Counters implements Metrics {
  readonly #counts = new Map<string, number>()

  count(name: MetricName, labels: MetricLabels = {}, by = 1): void {
    const key = [name, ...Object.values(labels)].join(' ')
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by)
  }

  gauge(): void {
    // Nothing is counted by it.
  }

  observe(): void {
    // Nothing is counted by it.
  }

  /** By the values of its labels. */
  of(name: MetricName): ReadonlyMap<string, number> {
    return new Map(
      [...this.#counts].flatMap(([key, count]) =>
        key.startsWith(`${name} `) ? [[key.slice(name.length + 1), count]] : [],
      ),
    )
  }
}

export type LogSink = (level: string, message: string, fields: LogFields) => void

export function sinkLog(sink: LogSink, base: LogFields = {}): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      sink(level, message, { ...base, ...fields })
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => sinkLog(sink, { ...base, ...fields }),
  }
}
