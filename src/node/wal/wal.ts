/**
 * A member's log and snapshots on disk.
 *
 *     <directory>/identity               whose log this is
 *     <directory>/segments/<n>.log       the log
 *     <directory>/snapshots/<i>-<t>…     what the log began as, up to index i of term t
 *
 * `append` resolves only when its request is durable. Any failure of the disk while the log is
 * written is final: `onFailure` is told once and the process must end. What comes of the directory
 * is told by the code: JGD_DISK_FULL and JGD_DISK_READ_ONLY leave a whole log, to be opened again,
 * and so does JGD_INTERNAL, a mistake of our own; after JGD_DISK_FAILED the member must come back as
 * a new one.
 */
import type { JangadaError } from '../../base/errors.ts'
import { type Index, index as toIndex, noMember, term as toTerm } from '../../base/ids.ts'
import type {
  ConfState,
  Entry,
  HardState,
  RestoredState,
  SnapshotRef,
} from '../../core/raft/types.ts'
import type { Disk } from '../../ports/disk.ts'
import type { AppendRequest } from './append-request.ts'
import { damaged, diskFailed, foreign, isOfDisk, passes } from './errors.ts'
import { isZero } from './frame.ts'
import { readIdentity, sameIdentity, type WalIdentity, writeIdentity } from './identity.ts'
import { type LogRead, readLog } from './log-reader.ts'
import { LogWriter } from './log-writer.ts'
import { walPaths, type WalPaths } from './paths.ts'
import type { Replay } from './replay.ts'
import { createSegment, firstFrameOffset } from './segment.ts'
import { type SnapshotReading, Snapshots, type SnapshotStage } from './snapshots.ts'

export interface WalOptions {
  /** Below the disk's root. */
  readonly directory?: string
  readonly segmentBytes?: number
  readonly maxBatchBytes?: number
  /** Entries before the snapshot that `open` gives back, for the good of slow followers. */
  readonly entriesBeforeSnapshot?: number
  readonly onFailure: (error: JangadaError) => void
  readonly onWritten?: ((bytes: number) => void) | undefined
}

export const defaultSegmentBytes = 16 * 1024 * 1024
const defaultMaxBatchBytes = 2 * 1024 * 1024
const defaultEntriesBeforeSnapshot = 1000
const defaultDirectory = 'wal'

export interface OpenedWal {
  readonly wal: Wal
  readonly restored: RestoredState
  /** What a crash cut short or time has spoilt, and the log could do without. For the log. */
  readonly repairs: readonly string[]
}

const noMembers: ConfState = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}
const noSnapshot: SnapshotRef = { index: toIndex(0), term: toTerm(0), config: noMembers }

/**
 * Whose log is in `directory`: undefined when it holds none, and whoever starts on it is a new
 * member. Rejects with JGD_WAL_DAMAGED when there is a log without an identity.
 */
export async function identityOf(
  disk: Disk,
  directory = defaultDirectory,
): Promise<WalIdentity | undefined> {
  const paths = walPaths(directory)
  return reading(async () => {
    const identity = await readIdentity(disk, paths)
    if (identity === undefined) await assertNeverUsed(disk, paths)
    return identity
  })
}

export class Wal {
  readonly identity: WalIdentity
  readonly #writer: LogWriter
  readonly #snapshots: Snapshots

  private constructor(identity: WalIdentity, writer: LogWriter, snapshots: Snapshots) {
    this.identity = identity
    this.#writer = writer
    this.#snapshots = snapshots
  }

  /**
   * Makes the log of a new member. Rejects with JGD_WAL_FOREIGN when the directory has one, or
   * JGD_DISK_FAILED. A crash meanwhile leaves a directory that counts as empty.
   */
  static async create(disk: Disk, identity: WalIdentity, options: WalOptions): Promise<OpenedWal> {
    const directory = options.directory ?? defaultDirectory
    const paths = walPaths(directory)
    if ((await identityOf(disk, directory)) !== undefined) {
      throw foreign(paths.identity, 'a new member needs an empty directory')
    }
    await reading(async () => {
      await disk.remove(directory)
      for (const path of [directory, paths.segments, paths.snapshots])
        await disk.makeDirectory(path)
      const { segmentBytes = defaultSegmentBytes } = options
      const segment = await createSegment(disk, paths, identity, 1, segmentBytes)
      await segment.file.close()
      await disk.syncDirectory('')
      await writeIdentity(disk, paths, identity)
    })
    return Wal.open(disk, identity, options)
  }

  /**
   * Opens the log of `identity`. Rejects with JGD_WAL_FOREIGN when the directory is empty or
   * another's, JGD_WAL_DAMAGED, JGD_WAL_VERSION, JGD_DISK_FULL (there is no room to write on),
   * JGD_DISK_READ_ONLY or JGD_DISK_FAILED.
   */
  static async open(disk: Disk, identity: WalIdentity, options: WalOptions): Promise<OpenedWal> {
    const paths = walPaths(options.directory ?? defaultDirectory)
    const snapshots = new Snapshots(disk, paths, identity)
    return reading(async () => {
      const found = await readIdentity(disk, paths)
      if (found === undefined || !sameIdentity(found, identity)) {
        const whose = found === undefined ? 'nobody' : `member ${found.memberId}`
        throw foreign(paths.identity, `it is ${whose}'s, not member ${identity.memberId}'s`)
      }
      // Names too may be there without being durable, when only the process before this one died.
      for (const name of ['', paths.directory, paths.segments, paths.snapshots]) {
        await disk.syncDirectory(name)
      }
      const spoilt = await snapshots.load()
      const repairs = spoilt.map((file) => `${file} is damaged and was removed`)
      const log = await readLog(disk, paths, identity)
      if (log.tornBytes > 0)
        repairs.push(`${log.current.path}: ${log.tornBytes} bytes torn, cut off`)
      const joined = join(log, snapshots.newest ?? noSnapshot, paths)
      for (const path of [...spoilt, ...log.beforeGap]) await disk.remove(path)
      await snapshots.removeOld()
      const { current, currentMaxIndex, full, replay } = log
      const { last, hardState: written } = replay
      const state = { current, currentMaxIndex, full, last, hardState: written }
      const writer = new LogWriter(disk, paths, identity, state, {
        segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
        maxBatchBytes: options.maxBatchBytes ?? defaultMaxBatchBytes,
        promote: (request) => snapshots.promote(request.snapshot as SnapshotRef),
        onFailure: options.onFailure,
        onWritten: options.onWritten,
      })
      const wal = new Wal(identity, writer, snapshots)
      const { snapshot, hardState, isReset } = joined
      try {
        await writer.ready()
        if (isReset) await writer.append({ entries: [], snapshot, hardState })
      } catch (error) {
        await writer.close().catch(() => undefined)
        throw error
      }
      const entries = isReset ? [] : recentEntries(replay, snapshot, options)
      return { wal, restored: { hardState, snapshot, entries }, repairs }
    })
  }

  /** The error that ended this log's life, if one did. */
  get failure(): JangadaError | undefined {
    return this.#writer.failure
  }

  /**
   * Resolves once the request, and every one before it, is durable. Rejects with JGD_DISK_FAILED,
   * JGD_DISK_FULL, JGD_DISK_READ_ONLY or JGD_INTERNAL, and then it is not known what is durable, or
   * with JGD_SHUTTING_DOWN. Entries must not change afterwards. A `snapshot` must have been staged.
   */
  append(request: AppendRequest): Promise<void> {
    return this.#writer.append(request)
  }

  /** Begins to take in a snapshot from another member. Rejects with JGD_DISK_FAILED. */
  async stageSnapshot(snapshot: SnapshotRef): Promise<SnapshotStage> {
    const stage = await this.#writing(() => this.#snapshots.stage(snapshot))
    return {
      write: (bytes) => this.#writing(() => stage.write(bytes)),
      end: () => this.#writing(() => stage.end()),
      abandon: () => this.#writing(() => stage.abandon()),
    }
  }

  /**
   * Writes this member's own snapshot; durable when it resolves. `chunks` may take their time:
   * appends go on meanwhile. Rejects with JGD_DISK_FAILED, or, and then there is no such snapshot
   * and the log goes on, with JGD_DISK_FULL or what `chunks` threw.
   */
  async writeSnapshot(
    snapshot: SnapshotRef,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const stage = await this.stageSnapshot(snapshot)
    try {
      for await (const chunk of chunks) await stage.write(chunk)
      await stage.end()
    } catch (error) {
      if (this.failure === undefined) await stage.abandon()
      throw error
    }
    await this.#writing(() => this.#snapshots.promote(snapshot))
  }

  get newestSnapshot(): SnapshotRef | undefined {
    return this.#snapshots.newest
  }

  /**
   * Undefined when there is no snapshot at `index`. Its pieces must be read to the end, or
   * returned from: until then its file is kept.
   */
  readSnapshot(index: Index): Promise<SnapshotReading | undefined> {
    return this.#snapshots.read(index)
  }

  /**
   * Removes what is not needed any more: snapshots but the last two, and segments whose entries
   * are all at or below both `upto` and the older of these snapshots. Rejects with
   * JGD_DISK_FAILED.
   */
  async release(upto: Index): Promise<void> {
    await this.#writing(async () => {
      await this.#snapshots.removeOld()
      await this.#writer.release(Math.min(upto, this.#snapshots.oldestKeptIndex))
    })
  }

  /** Resolves when everything accepted is durable. */
  close(): Promise<void> {
    return this.#writer.close()
  }

  /**
   * After a failed write nothing is known of the disk: the log fails with it, whichever it was. But
   * a file for which there was no room is one that is not there, and harms nobody. Nor does what our
   * own mistake has left of it.
   */
  async #writing<T>(work: () => Promise<T>): Promise<T> {
    if (this.failure !== undefined) throw this.failure
    try {
      return await work()
    } catch (error) {
      if (!isOfDisk(error)) throw error
      const failed = diskFailed('writing a snapshot', error)
      throw passes(failed) ? failed : this.#writer.fail('writing a snapshot', error)
    }
  }
}

/** What the disk said gets a code; any other error passes. */
async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isOfDisk(error) ? diskFailed('opening the log', error) : error
  }
}

/** The making of a log that was cut short leaves segments without frames, and no snapshot. */
async function assertNeverUsed(disk: Disk, paths: WalPaths): Promise<void> {
  let isUsed = (await disk.list(paths.snapshots)).length > 0
  for (const name of await disk.list(paths.segments)) {
    const bytes = await disk.readFile(`${paths.segments}/${name}`)
    isUsed ||= !isZero(bytes, Math.min(firstFrameOffset, bytes.length), bytes.length)
  }
  if (isUsed) throw damaged(paths.identity, 0, 'it is missing, and there is a log')
}

interface Joined {
  readonly snapshot: SnapshotRef
  readonly hardState: HardState
  /** The log was not on the snapshot's line: it is to begin anew at the snapshot. */
  readonly isReset: boolean
}

/** Puts log and snapshot together, or throws JGD_WAL_DAMAGED when something is missing between. */
function join({ replay, current }: LogRead, snapshot: SnapshotRef, paths: WalPaths): Joined {
  // Of an entry that is known by its index only, nobody can say whether it is the snapshot's.
  const isBaseUnknown = replay.base.index > 0 && replay.base.term === 0
  if (
    replay.base.index > snapshot.index ||
    (isBaseUnknown && replay.base.index === snapshot.index)
  ) {
    const what = `the log begins after entry ${replay.base.index}, the snapshot ends at ${snapshot.index}`
    throw damaged(paths.segments, 0, `a segment or snapshot is missing: ${what}`)
  }
  if (replay.hardState.commit > Math.max(replay.last.index, snapshot.index)) {
    throw damaged(current.path, current.offset, 'committed entries are missing at its end')
  }
  // A snapshot is of committed entries. A log that ends before it, or holds another entry in its
  // place, is of a member that was cut off while it took the snapshot from another one.
  const same = snapshot.index === replay.base.index ? replay.base : replay.entryAt(snapshot.index)
  const isReset = snapshot.index > 0 && same?.term !== snapshot.term
  if (isReset && replay.hardState.commit > snapshot.index) {
    throw damaged(current.path, 0, 'what it says is committed is not what the snapshot says')
  }
  const { term, vote, commit } = replay.hardState
  const isBehind = term < snapshot.term
  const hardState = {
    term: isBehind ? snapshot.term : term,
    vote: isBehind ? noMember : vote,
    commit: toIndex(Math.max(commit, snapshot.index)),
  }
  return { snapshot, hardState, isReset }
}

function recentEntries(
  replay: Replay,
  snapshot: SnapshotRef,
  options: WalOptions,
): readonly Entry[] {
  const { entriesBeforeSnapshot = defaultEntriesBeforeSnapshot } = options
  const from = Math.max(0, snapshot.index - entriesBeforeSnapshot - replay.base.index)
  return replay.entries.slice(from)
}
