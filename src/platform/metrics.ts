/** `ports/Metrics` over prom-client, read by `GET /metrics`. */
import { assert } from '../base/assert.ts'
import type { MetricLabels, MetricName, Metrics } from '../ports/metrics.ts'

export interface OpenMetrics {
  readonly metrics: Metrics
  readonly contentType: string
  /** All metrics in Prometheus' text format. */
  readonly render: () => Promise<string>
  readonly close: () => void
}

/**
 * Label values of one metric that are kept apart; later ones are dropped and counted. A bug that
 * labels by unit or address then costs a number in a gauge instead of the process's memory.
 */
const seriesMax = 256

/** Seconds: from an fsync on a quiet disk to a failover. */
const bucketSeconds = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]
const bucketMilliseconds = bucketSeconds.map((seconds) => seconds * 1000)

/** Observations of a name that ends in `_seconds` are told in seconds, as Prometheus asks. */
export async function openMetrics(): Promise<OpenMetrics> {
  const prometheus = await import('prom-client')
  const registry = new prometheus.Registry()
  prometheus.collectDefaultMetrics({ register: registry })
  const series = new SeriesBound()
  const dropped = new prometheus.Counter({
    name: 'jangada_metrics_dropped_total',
    help: 'Updates dropped because their metric has too many label values.',
    registers: [registry],
  })
  const known = new Map<string, { kind: string; metric: unknown }>()
  const find = <M>(kind: string, name: string, make: () => M): M => {
    const found = known.get(name)
    assert(found === undefined || found.kind === kind, 'a metric has one kind')
    if (found !== undefined) return found.metric as M
    const metric = make()
    known.set(name, { kind, metric })
    return metric
  }
  const options = (name: MetricName, labels: MetricLabels) => {
    return { name, help: name, labelNames: Object.keys(labels), registers: [registry] }
  }
  const admitted = (name: MetricName, labels: MetricLabels): boolean => {
    if (series.admit(name, labels)) return true
    dropped.inc()
    return false
  }
  const metrics: Metrics = {
    count: (name, labels = {}, by = 1) => {
      if (!admitted(name, labels)) return
      find('counter', name, () => new prometheus.Counter(options(name, labels))).inc(labels, by)
    },
    gauge: (name, value, labels = {}) => {
      if (!admitted(name, labels)) return
      find('gauge', name, () => new prometheus.Gauge(options(name, labels))).set(labels, value)
    },
    observe: (name, milliseconds, labels = {}) => {
      if (!admitted(name, labels)) return
      const inSeconds = name.endsWith('_seconds')
      const buckets = inSeconds ? bucketSeconds : bucketMilliseconds
      find(
        'histogram',
        name,
        () => new prometheus.Histogram({ ...options(name, labels), buckets }),
      ).observe(labels, inSeconds ? milliseconds / 1000 : milliseconds)
    },
  }
  return {
    metrics,
    contentType: registry.contentType,
    render: () => registry.metrics(),
    close: () => registry.clear(),
  }
}

/** Invariant: at most `seriesMax` label sets a name are admitted, and an admitted one stays so. */
class SeriesBound {
  readonly #seen = new Map<string, Set<string>>()

  admit(name: string, labels: MetricLabels): boolean {
    const seen = this.#seen.get(name) ?? new Set()
    this.#seen.set(name, seen)
    const key = JSON.stringify(Object.values(labels))
    if (seen.has(key)) return true
    if (seen.size >= seriesMax) return false
    seen.add(key)
    return true
  }
}
