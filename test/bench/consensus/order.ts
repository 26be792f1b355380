/** What the load generator is told, and what it answers. */
import type { Endpoint } from './connection.ts'
import type { LoadResult } from './load.ts'

export type StoreName = 'jangada' | 'etcd'
/** `batch`: puts by `batchKeys` in one transaction. */
export type LoadKind = 'put' | 'read' | 'batch'

export interface Order {
  readonly store: StoreName
  readonly endpoints: readonly Endpoint[]
  /** For our API on TLS: what follows `Bearer`. */
  readonly bearer?: string
  readonly seed: number
  readonly rows: readonly {
    readonly kind: LoadKind
    readonly clients: number
    readonly seconds: number
  }[]
  /** Keys to look for, by number, when there are no rows. */
  readonly look?: readonly number[]
}

export interface Report {
  readonly rows: readonly LoadResult[]
  /** Keys of which a put was acknowledged, by number. */
  readonly acknowledged: readonly number[]
  /** Of `look`, the keys that were not there. */
  readonly missing: readonly number[]
}

export const keyCount = 10_000
export const valueBytes = 256
export const batchKeys = 32
