/** Logs and metrics for the simulation: kept in memory, or shown when a seed is looked at. */
import type { Log, LogFields } from '../../src/ports/log.ts'
import type { Metrics } from '../../src/ports/metrics.ts'

export const noMetrics: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
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
