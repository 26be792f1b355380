/** Counters, gauges and histograms by name. Names and labels are bounded: never a unit's name. */
export interface Metrics {
  count(name: MetricName, labels?: MetricLabels, by?: number): void
  gauge(name: MetricName, value: number, labels?: MetricLabels): void
  /** Milliseconds. */
  observe(name: MetricName, milliseconds: number, labels?: MetricLabels): void
}

/** `jangada_…`, as Prometheus writes them. */
export type MetricName = `jangada_${string}`
export type MetricLabels = Readonly<Record<string, string>>
