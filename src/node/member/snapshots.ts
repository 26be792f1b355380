/**
 * A member's snapshots: writes one when the log has grown enough, restores the store from one,
 * and takes those that the leader sends in pieces.
 *
 * Invariant: at most one is written at a time, and at most one is being received.
 */
import { assert } from '../../base/assert.ts'
import { describeError, type ErrorCode, isJangadaError, JangadaError } from '../../base/errors.ts'
import { crc32 } from '../../base/crc32.ts'
import { type Index, index, type MemberId, type Term } from '../../base/ids.ts'
import { isSameConfig } from '../../core/raft/config.ts'
import type { ProgressStatus, SnapshotRef } from '../../core/raft/types.ts'
import { type SnapshotFault, SnapshotRestore } from '../../core/store/snapshot-restore.ts'
import type { Store } from '../../core/store/store.ts'
import type { Log } from '../../ports/log.ts'
import { newerVersion, ownMistake, passes } from '../wal/errors.ts'
import { failureOf } from './errors.ts'
import type { MemberLog, SnapshotReceiver } from './member-log.ts'
import type { Failed } from './member-options.ts'

/** Fewer entries are no reason to write a snapshot. */
export const entriesBetweenSnapshots = 10_000
/**
 * Nor are fewer bytes of them than this many times the state: to write it is then a small part of
 * what the log writes anyway, and it is not written again and again because it is large.
 */
const statesBetweenSnapshots = 4
/** What is in memory of the log since the last one is always reason enough. */
const bytesBetweenSnapshots = 64 * 1024 * 1024
/**
 * Part of the entries between two snapshots that is kept in memory behind the newer one, so that a
 * slow follower needs no snapshot itself.
 */
const partKeptBehind = 0.2
const bytesKeptBehind = 16 * 1024 * 1024
/**
 * More are kept for who is being caught up: under load the next snapshot is there before this one has
 * been sent and restored, and without the entries since this one it would all begin again.
 */
const bytesKeptForOthers = 128 * 1024 * 1024
/** What an entry takes up in memory at least. */
const entryBytesMin = 256

export interface SnapshotsMeans {
  readonly log: MemberLog
  readonly logger: Log
  /** A snapshot after so many entries, at least 1, instead of what `isSnapshotDue` says. */
  readonly entriesBetweenSnapshots?: number
}

/** Whether it is worth writing the state anew, of `stateBytes`, after so much of the log. */
export function isSnapshotDue(entries: number, bytes: number, stateBytes: number): boolean {
  if (bytes + entries * entryBytesMin >= bytesBetweenSnapshots) return true
  return entries >= entriesBetweenSnapshots && bytes >= statesBetweenSnapshots * stateBytes
}

export interface SnapshotsOptions {
  readonly store: () => Store
  /** The name a snapshot taken now would have; undefined while one is being installed. */
  readonly nameOfState: () => SnapshotRef | undefined
  /** The entry that somebody goes on from, if fewer may be dropped for it; see `goesOnFrom`. */
  readonly neededFrom: () => Index | undefined
  readonly onWritten: (snapshot: SnapshotRef, upto: Index) => void
  readonly onFatal: (reason: string, what: Failed) => void
}

/** The beginning of a snapshot: how long it is, and its CRC-32. */
export interface Taken {
  readonly bytes: number
  readonly crc: number
}

export const nothingTaken: Taken = { bytes: 0, crc: 0 }

/** The leader that a snapshot is from, and the machine that speaks for it. */
export interface Sender {
  readonly machineId: string
  readonly id: MemberId
  readonly term: Term
}

interface Receiving {
  readonly snapshot: SnapshotRef
  readonly receiver: SnapshotReceiver
  /** Who began last: another leader goes on with what the one before it sent. */
  sender: Sender
  /** What is in the file. */
  taken: Taken
}

export class Snapshots {
  readonly #means: SnapshotsMeans
  readonly #options: SnapshotsOptions
  readonly #entriesBetween: number | undefined
  #lastIndex: Index
  /** Of the entries applied since the last snapshot was begun. */
  #bytes = 0
  #writing = false
  /** Named by an append, and not restored yet: their files must stay. */
  #ahead = 0
  /** Settled when nothing of a snapshot that comes in is being written. */
  #turn: Promise<unknown> = Promise.resolve()
  #receiving: Receiving | undefined

  constructor(means: SnapshotsMeans, options: SnapshotsOptions) {
    this.#means = means
    this.#options = options
    this.#entriesBetween = means.entriesBetweenSnapshots
    this.#lastIndex = options.store().appliedIndex
  }

  /** To be called whenever the store has moved on, with the bytes of the entries applied. */
  consider(bytes: number): void {
    this.#bytes += bytes
    const store = this.#options.store()
    this.#giveUpWhatIsPast(store)
    if (this.#writing) return
    const entries = store.appliedIndex - this.#lastIndex
    const isDue =
      isSnapshotDue(entries, this.#bytes, store.size.liveBytes) ||
      entries >= (this.#entriesBetween ?? Infinity)
    if (!isDue) return
    const snapshot = this.#options.nameOfState()
    if (snapshot === undefined) return
    assert(snapshot.index === store.appliedIndex, 'the name fits the state')
    this.#writing = true
    const bytesEach = this.#bytes / Math.max(1, entries)
    this.#bytes = 0
    void this.#write(snapshot, bytesEach)
  }

  /** To be called when an append names it; what comes back, when its turn to be restored has come. */
  toRestore(snapshot: SnapshotRef): () => Promise<Store> {
    this.#ahead += 1
    return async () => {
      const store = await this.#restore(snapshot)
      this.#ahead -= 1
      if (this.#ahead === 0) await this.#means.log.restored(snapshot)
      return store
    }
  }

  async #restore(snapshot: SnapshotRef): Promise<Store> {
    const restore = new SnapshotRestore()
    for await (const piece of this.#means.log.readSnapshot(snapshot)) {
      const fault = restore.push(piece)
      if (fault !== undefined) throw unreadable(snapshot, fault)
    }
    const finished = restore.finish()
    if (finished.kind === 'fault') throw unreadable(snapshot, finished)
    this.#lastIndex = snapshot.index
    return finished.store
  }

  /**
   * The first call names the snapshot. One of the same name that broke off is gone on with, if
   * the sender can do that; any other is given up. Resolves to what there is of it already.
   */
  receiveBegin(snapshot: SnapshotRef, mayResume: boolean, sender: Sender): Promise<Taken> {
    return this.#taking(() => this.#begin(snapshot, mayResume, sender))
  }

  /**
   * `at` bytes come before the piece, if the sender says so. Rejects with JGD_CONFLICT when `of` is
   * not the snapshot that is being received from this machine, or other bytes are to come next: a
   * piece of a connection that was given up may arrive late.
   */
  receivePiece(of: Index, piece: Uint8Array, machineId: string, at?: number): Promise<void> {
    return this.#taking(async () => {
      const receiving = this.#expected(of, machineId)
      const { bytes, crc } = receiving.taken
      if (at !== undefined && at !== bytes) throw conflict(`${bytes} bytes are here, not ${at}`)
      await receiving.receiver.write(piece)
      receiving.taken = { bytes: bytes + piece.length, crc: crc32(piece, crc) }
    })
  }

  /**
   * Rejects as `receivePiece`, also when it does not end as it began, or what is here is not the
   * `whole` that was sent. Resolves to what lets it go again, when consensus does not take it.
   */
  async receiveEnd(
    snapshot: SnapshotRef,
    sender: Sender,
    whole?: Taken,
  ): Promise<() => Promise<void>> {
    const receiver = await this.#taking(() => this.#end(snapshot, sender, whole))
    return () => this.#taking(() => receiver.abort())
  }

  /**
   * Without room this snapshot is given up and a later one may fit. A disk that failed ends the
   * member: no append may come that would tell, because the leader waits for the snapshot. So does
   * a mistake of our own; what it made of the file nobody goes on from.
   */
  #taking<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      try {
        return await work()
      } catch (error) {
        if (passes(error)) await this.#giveUp()
        else if (!isJangadaError(error) || endsLog.has(error.code)) {
          this.#options.onFatal(...failureOf('a snapshot cannot be taken', error))
        }
        throw error
      }
    })
  }

  /**
   * A sender that lost patience begins again while its last piece is still being written. To
   * close a file under a write would look like a disk that fails, and cost this member its log.
   */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** The log has brought more than the snapshot would: whoever began to send it has gone elsewhere. */
  #giveUpWhatIsPast({ appliedIndex }: Store): void {
    const receiving = this.#receiving
    if (receiving === undefined || receiving.snapshot.index > appliedIndex) return
    const giveUp = this.#taking(async () => {
      if (this.#receiving === receiving) await this.#giveUp()
    })
    giveUp.catch(() => undefined)
  }

  /** When the member ends: a later one begins anew. Rejects never. */
  async stop(): Promise<void> {
    await this.#inTurn(() => this.#giveUp()).catch(() => undefined)
  }

  /** Its bytes must not go on taking room that others lack. */
  async #giveUp(): Promise<void> {
    const receiving = this.#receiving
    this.#receiving = undefined
    await receiving?.receiver.abort()
  }

  async #begin(snapshot: SnapshotRef, mayResume: boolean, sender: Sender): Promise<Taken> {
    const present = this.#receiving
    if (mayResume && present !== undefined && isSame(present.snapshot, snapshot)) {
      present.sender = sender
      return present.taken
    }
    await this.#giveUp()
    const receiver = await this.#means.log.receiveSnapshot(snapshot)
    this.#receiving = { snapshot, receiver, sender, taken: nothingTaken }
    return nothingTaken
  }

  async #end(snapshot: SnapshotRef, sender: Sender, whole?: Taken): Promise<SnapshotReceiver> {
    const receiving = this.#expected(snapshot.index, sender.machineId)
    const { receiver, taken } = receiving
    const { id, term } = receiving.sender
    // A term or a state that nobody checked as it began would be consensus's from here on.
    if (!isSame(receiving.snapshot, snapshot) || id !== sender.id || term !== sender.term) {
      throw conflict('the snapshot does not end as it began')
    }
    this.#receiving = undefined
    if (whole !== undefined && (whole.bytes !== taken.bytes || whole.crc !== taken.crc)) {
      await receiver.abort()
      throw conflict('what is here of the snapshot is not what was sent')
    }
    try {
      await receiver.finish()
      return receiver
    } catch (error) {
      if (passes(error)) await receiver.abort()
      throw error
    }
  }

  #expected(of: Index, machineId: string): Receiving {
    const receiving = this.#receiving
    if (receiving?.snapshot.index === of && receiving.sender.machineId === machineId) {
      return receiving
    }
    throw conflict('another snapshot is being received')
  }

  async #write(snapshot: SnapshotRef, bytesEach: number): Promise<void> {
    const pieces = this.#options.store().snapshotChunks()
    try {
      await this.#means.log.writeSnapshot(snapshot, pieces)
      this.#lastIndex = snapshot.index
      this.#means.logger.info('snapshot written', { index: snapshot.index })
      this.#options.onWritten(snapshot, this.#upto(snapshot.index, bytesEach))
    } catch (error) {
      if (passes(error)) this.#postpone(error)
      else this.#options.onFatal(...failureOf('a snapshot cannot be written', error))
    } finally {
      pieces.return()
      this.#writing = false
    }
  }

  /** The last entry that may leave memory now that there is a snapshot at `at`. */
  #upto(at: Index, bytesEach: number): Index {
    const byBytes = Math.floor(bytesKeptBehind / Math.max(1, bytesEach))
    const between = this.#entriesBetween ?? entriesBetweenSnapshots
    const usual = Math.min(Math.floor(between * partKeptBehind), byBytes)
    const most = Math.floor(bytesKeptForOthers / Math.max(entryBytesMin, bytesEach))
    const wanted = at - (this.#options.neededFrom() ?? at)
    return index(Math.max(0, at - Math.max(usual, Math.min(wanted, most))))
  }

  /** The log goes on without it, and is longer for it: the next one is due as if this were there. */
  #postpone(error: unknown): void {
    this.#lastIndex = this.#options.store().appliedIndex
    this.#means.logger.error('no snapshot was written', {
      cause: describeError(error),
      code: isJangadaError(error) ? error.code : undefined,
      next: isJangadaError(error) ? error.hint : undefined,
    })
  }
}

/** The lowest entry from which a member that can be caught up goes on; undefined if there is none. */
export function goesOnFrom(progress: readonly ProgressStatus[]): Index | undefined {
  const from = progress
    .filter(({ recentlyActive }) => recentlyActive)
    .map(({ state, pendingSnapshot, next, match }) => {
      if (state === 'snapshot') return pendingSnapshot
      return state === 'probe' ? index(next - 1) : match
    })
    .filter((at) => at > 0)
  return from.length === 0 ? undefined : index(Math.min(...from))
}

/** As its name says; the bytes, and their CRC, are checked at the end. */
const isSame = (one: SnapshotRef, other: SnapshotRef): boolean =>
  one.index === other.index && one.term === other.term && isSameConfig(one.config, other.config)

const conflict = (message: string): JangadaError => new JangadaError('JGD_CONFLICT', message)

/** With these the log itself has ended, by its disk or by a mistake of ours. */
const endsLog: ReadonlySet<ErrorCode> = new Set(['JGD_DISK_FAILED', 'JGD_INTERNAL'])

/**
 * Every byte was read back as it was written: it is not the disk that failed. The file is kept for
 * a binary that can read it.
 */
export function unreadable({ index: at }: SnapshotRef, fault: SnapshotFault): JangadaError {
  const message = `snapshot ${at} cannot be restored: ${fault.reason}`
  if (fault.cause === 'damaged') return ownMistake(message)
  return new JangadaError('JGD_WAL_VERSION', message, { hint: newerVersion })
}
