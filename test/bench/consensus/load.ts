/** Closed-loop load: each client has one operation on its way, for a while, and counts answers. */
import { performance } from 'node:perf_hooks'
import type { Connection, Operation } from './connection.ts'

export interface LoadOptions {
  readonly connections: readonly Connection[]
  /** Spread evenly over the connections. */
  readonly clients: number
  readonly seconds: number
  readonly next: () => Operation
  readonly onAcknowledged: (operation: Operation) => void
}

export interface LoadResult {
  /** Keys; a batch has several. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly refused: number
}

export async function load(options: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = []
  const startMs = performance.now()
  const endMs = startMs + options.seconds * 1000
  let refused = 0
  let keys = 0
  const client = async (connection: Connection): Promise<void> => {
    for (let atMs = performance.now(); atMs < endMs;) {
      const operation = options.next()
      const ok = await connection.request(operation)
      const doneMs = performance.now()
      if (ok) {
        latencies.push(doneMs - atMs)
        keys += operation.keys.length
        options.onAcknowledged(operation)
      } else refused += 1
      atMs = doneMs
    }
  }
  await Promise.all(
    Array.from({ length: options.clients }, (_, at) =>
      client(options.connections[at % options.connections.length]!),
    ),
  )
  const seconds = (performance.now() - startMs) / 1000
  latencies.sort((a, b) => a - b)
  const at = (part: number): number => latencies[Math.floor((latencies.length - 1) * part)] ?? NaN
  return { perSecond: keys / seconds, p50Ms: at(0.5), p99Ms: at(0.99), refused }
}
