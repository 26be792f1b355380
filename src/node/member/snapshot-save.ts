/**
 * A copy of the cluster's state for people to keep: the same file as a member's own snapshots
 * (`wal/snapshot-file.ts`), made while everything goes on, from a linearizable point.
 */
import { JangadaError } from '../../base/errors.ts'
import type { ClusterId } from '../../base/ids.ts'
import type { Clock } from '../../ports/clock.ts'
import { SnapshotFraming } from '../wal/snapshot-file.ts'
import type { MemberStore } from './member-store.ts'

/** While one is read, what it needs of the past is kept in memory: not for ever, and not twice. */
const saveMsMax = 600_000

export class SnapshotSaver {
  readonly #clusterId: () => ClusterId
  readonly #clock: Clock
  /** The copy under way. */
  #current: object | undefined

  constructor(clusterId: () => ClusterId, clock: Clock) {
    this.#clusterId = clusterId
    this.#clock = clock
  }

  /**
   * The file's bytes, with every write acknowledged before the call. Rejects with JGD_NO_QUORUM, or
   * with JGD_OVERLOADED when another one is under way here, or its reader took ten minutes.
   */
  async *save(store: MemberStore, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#current !== undefined) {
      throw overloaded('another snapshot is being saved from this node')
    }
    const current = (this.#current = {})
    const end = (): void => {
      if (this.#current === current) this.#current = undefined
    }
    try {
      await store.member.barrier()
      yield* this.#pieces(store, signal, end)
    } finally {
      end()
    }
  }

  /** A reader that stands still resumes nothing here: what it holds is let go by the clock. */
  async *#pieces(
    { member }: MemberStore,
    signal: AbortSignal,
    end: () => void,
  ): AsyncGenerator<Uint8Array> {
    const framing = new SnapshotFraming()
    const { config } = member.status()
    const chunks = member.store.snapshotChunks()
    let isLate = false
    const letGo = (): void => {
      chunks.return()
      end()
    }
    const timer = this.#clock.after(saveMsMax, () => {
      isLate = true
      letGo()
    })
    signal.addEventListener('abort', letGo, { once: true })
    try {
      yield framing.begin(this.#clusterId(), { ...chunks.position, config })
      for (const chunk of chunks) {
        yield* framing.pieces(chunk)
      }
      if (signal.aborted) return
      if (isLate) throw overloaded('the snapshot was read too slowly')
      yield framing.end()
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', letGo)
      chunks.return()
    }
  }
}

const overloaded = (message: string): JangadaError =>
  new JangadaError('JGD_OVERLOADED', message, { hint: 'try again, or ask another node' })
