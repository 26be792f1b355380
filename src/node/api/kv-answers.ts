/** What `/v1/kv` answers, as types: for the handlers that build it and the clients that read it. */

/** How a value is written in JSON: as its own text, or as standard base64 of its bytes. */
export type KvEncoding = 'utf8' | 'base64'

export interface KvItem {
  readonly key: string
  /** Absent where only keys were asked for. */
  readonly value?: string
  readonly encoding?: KvEncoding
  /** The revision that created the key. */
  readonly createRevision: number
  /** The revision that last wrote it. */
  readonly modRevision: number
  /** How often it was written since it was created; 1 when new. */
  readonly version: number
  readonly lease: string | null
}

/** Every read says as of which revision it is. */
export interface KvRead {
  readonly revision: number
  readonly consistency: 'linearizable' | 'local'
  /** Milliseconds since the answering node last heard of its leader; 0 when linearizable. */
  readonly staleForMs: number
}

/** `GET /v1/kv?key=K`. */
export interface KvGetAnswer extends KvRead {
  /** Null when there is no such key. */
  readonly item: KvItem | null
}

/** `GET /v1/kv?prefix=P`, or `?from=A&end=B`: ordered by key. */
export interface KvListAnswer extends KvRead {
  readonly items: readonly KvItem[]
  /** There are more: ask again with `after` the last key, and the same `revision`. */
  readonly more: boolean
}

/** `PUT /v1/kv?key=K`. */
export interface KvPutAnswer {
  readonly revision: number
}

/** `DELETE /v1/kv?…`. */
export interface KvDeleteAnswer {
  readonly revision: number
  readonly deleted: number
}

/** `POST /v1/kv/cas`. */
export interface KvCasAnswer {
  readonly succeeded: boolean
  readonly revision: number
  /** Not succeeded: what stood there instead, null for nothing. Succeeded: null. */
  readonly item: KvItem | null
}

export type KvTxnResult =
  | { readonly op: 'put' }
  | { readonly op: 'delete'; readonly deleted: number }
  | { readonly op: 'get'; readonly items: readonly KvItem[]; readonly more: boolean }

/** `POST /v1/kv/txn`. */
export interface KvTxnAnswer {
  /** Every compare held, so `then` was carried out; otherwise `else` was. */
  readonly succeeded: boolean
  readonly revision: number
  /** One for each operation of the branch that was carried out, in its order. */
  readonly results: readonly KvTxnResult[]
}

/** `POST /v1/kv/compact`. */
export interface KvCompactAnswer {
  /** The oldest revision that was asked to be kept. */
  readonly revision: number
}

/** One change in a watch. */
export type KvEvent =
  | { readonly kind: 'put'; readonly item: KvItem }
  | { readonly kind: 'delete'; readonly key: string }

/** `GET /v1/kv/watch`, the data of an event `change`: all of one revision, ordered by key. */
export interface KvChange {
  readonly revision: number
  readonly events: readonly KvEvent[]
}

/** Of an event `progress`: everything up to this revision was told. */
export interface KvProgress {
  readonly revision: number
}

export interface KvLease {
  readonly id: string
  readonly ttlMs: number
}

/** `GET /v1/kv/leases`. */
export interface KvLeasesAnswer {
  /** In the order of their ids. */
  readonly leases: readonly (KvLease & {
    /** Keys that end with it. */
    readonly keys: number
  })[]
  /** There are more: ask again with `after` the last id. */
  readonly more: boolean
}

/** `GET /v1/kv/quota`, and of `PUT`. */
export interface KvQuotaAnswer {
  /** Live keys and values, and about 256 bytes for each key. History comes on top. */
  readonly usedBytes: number
  readonly quotaBytes: number
  /** Of the quota: only the system's own keys may use it. */
  readonly reserveBytes: number
  /** Since when the alarm stands; null when it does not. */
  readonly fullSinceMs: number | null
}
