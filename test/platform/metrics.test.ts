import t from 'tap'
import { openMetrics } from '../../src/platform/metrics.ts'

t.test('counters, gauges and histograms are read as Prometheus reads them', async (t) => {
  const { metrics, render, close } = await openMetrics()
  metrics.count('jangada_packets_total', { outcome: 'dropped' })
  metrics.count('jangada_packets_total', { outcome: 'dropped' }, 2)
  metrics.gauge('jangada_term', 7)
  metrics.observe('jangada_fsync_seconds', 3)
  const text = await render()
  close()
  t.match(text, 'jangada_packets_total{outcome="dropped"} 3')
  t.match(text, 'jangada_term 7')
  t.match(text, 'jangada_fsync_seconds_sum 0.003')
  t.match(text, 'jangada_fsync_seconds_bucket{le="0.0025"} 0')
  t.match(text, 'jangada_fsync_seconds_bucket{le="0.005"} 1')
})

t.test('a label with endless values costs a number, not the memory', async (t) => {
  const { metrics, render, close } = await openMetrics()
  for (let i = 0; i < 1000; i += 1) metrics.count('jangada_calls_total', { address: `10.0.0.${i}` })
  metrics.count('jangada_calls_total', { address: '10.0.0.1' })
  const text = await render()
  close()
  t.equal(text.match(/^jangada_calls_total\{/gm)?.length, 256)
  t.match(text, 'jangada_calls_total{address="10.0.0.1"} 2')
  t.match(text, `jangada_metrics_dropped_total ${1000 - 256}`)
})

t.test('one name is one kind', async (t) => {
  const { metrics, close } = await openMetrics()
  metrics.gauge('jangada_term', 7)
  t.throws(() => metrics.count('jangada_term'), { name: 'AssertionError' })
  close()
})
