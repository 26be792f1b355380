/** What a member tells monitoring of its store. */
import { quotaAlarm } from '../../core/records/keyspace.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { MemberStore } from './member-store.ts'

const everyMs = 1000

export interface StoreMetricsOptions {
  /** Undefined while this machine is no member: then nothing is told. */
  readonly store: () => MemberStore | undefined
  readonly clock: Clock
  readonly metrics: Metrics
  readonly signal: AbortSignal
}

/** Runs until `signal` aborts. Never rejects. */
export async function tellStoreMetrics(options: StoreMetricsOptions): Promise<void> {
  const { clock, metrics, signal } = options
  while (!signal.aborted) {
    const own = options.store()
    if (own !== undefined) {
      const { store } = own.member
      const { usedBytes, quotaBytes, reserveBytes } = own.gate.room()
      const { liveKeys, historyBytes, leases } = store.stats()
      const isFull = store.get(quotaAlarm.key('alarm')) !== undefined
      metrics.gauge('jangada_store_used_bytes', usedBytes)
      metrics.gauge('jangada_store_quota_bytes', quotaBytes)
      metrics.gauge('jangada_store_reserve_bytes', reserveBytes)
      metrics.gauge('jangada_store_full', isFull ? 1 : 0)
      metrics.gauge('jangada_store_keys', liveKeys)
      metrics.gauge('jangada_store_history_bytes', historyBytes)
      metrics.gauge('jangada_store_leases', leases)
      metrics.gauge('jangada_store_revision', store.revision)
    }
    await sleep(clock, everyMs, signal)
  }
}
