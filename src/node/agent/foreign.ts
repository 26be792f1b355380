/** Containers of another cluster, or of nobody known: left alone, and told of once. */
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'

export class ForeignContainers {
  readonly #options: { readonly log: Log; readonly metrics: Metrics }
  #told = new Set<string>()

  constructor(options: { readonly log: Log; readonly metrics: Metrics }) {
    this.#options = options
  }

  note(ids: readonly string[]): void {
    const { log, metrics } = this.#options
    metrics.gauge('jangada_agent_foreign_containers', ids.length)
    for (const id of ids) {
      if (this.#told.has(id)) continue
      log.warn('a container of another cluster is on this machine; left alone', {
        container: id.slice(0, 12),
      })
    }
    this.#told = new Set(ids)
  }
}
