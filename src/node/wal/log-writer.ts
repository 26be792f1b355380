/**
 * Writes the log. Appends that come while a write is under way wait together and go out in one
 * write and one sync (group commit), so that throughput grows with load and a lone append waits
 * for nobody.
 *
 * A failed write or sync is never tried again: what the disk then holds is not known (the
 * fsync post-mortem of PostgreSQL, 2018). The writer rejects everything from there on.
 */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import type { HardState } from '../../core/raft/types.ts'
import type { Disk } from '../../ports/disk.ts'
import { diskFailed, isOfDisk, ownMistake } from './errors.ts'
import { beginFrame, finishFrame, frameLength } from './frame.ts'
import type { WalIdentity } from './identity.ts'
import type { FullSegment } from './log-reader.ts'
import type { WalPaths } from './paths.ts'
import { type LogEnd, type WalRecord, writeRecord } from './records.ts'
import { createSegment, firstFrameOffset, sealBytes, type Segment } from './segment.ts'
import { type AppendRequest, recordsOf, sizeOf } from './append-request.ts'

/** Records of a frame beside those of its requests: start and a hard state that waited. */
const frameExtraBytes = 128

export interface LogWriterOptions {
  readonly segmentBytes: number
  /** A frame takes in more requests until it has this size; one request always fits. */
  readonly maxBatchBytes: number
  /** Makes a staged snapshot the directory's newest, durably. */
  readonly promote: (request: AppendRequest) => Promise<void>
  /** Called once, with the error that every call rejects with from then on. */
  readonly onFailure: (error: JangadaError) => void
  /** After each write, once it is durable. */
  readonly onWritten?: ((bytes: number) => void) | undefined
}

export interface LogState {
  readonly current: Segment
  readonly currentMaxIndex: number
  readonly full: FullSegment[]
  readonly last: LogEnd
  readonly hardState: HardState
}

interface Waiting {
  readonly request: AppendRequest
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: JangadaError) => void
}

export class LogWriter {
  readonly #disk: Disk
  readonly #paths: WalPaths
  readonly #identity: WalIdentity
  readonly #options: LogWriterOptions
  #current: Segment
  #currentMaxIndex: number
  #full: FullSegment[]
  /** Made ahead of need, so that a full segment holds up nobody. */
  #spare: Promise<Segment>
  /** In order. Bounded by what consensus lets be in flight and uncommitted. */
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #failure: JangadaError | undefined
  #closed = false
  /** The log's end with everything accepted. */
  #acceptedLast: LogEnd
  /** The log's end with everything written. */
  #writtenLast: LogEnd
  #writtenHardState: HardState
  /** Nobody depends on it being durable: it goes with the next frame. */
  #lazyHardState: HardState | undefined

  constructor(
    disk: Disk,
    paths: WalPaths,
    identity: WalIdentity,
    state: LogState,
    options: LogWriterOptions,
  ) {
    this.#disk = disk
    this.#paths = paths
    this.#identity = identity
    this.#options = options
    this.#current = state.current
    this.#currentMaxIndex = state.currentMaxIndex
    this.#full = state.full
    this.#acceptedLast = state.last
    this.#writtenLast = state.last
    this.#writtenHardState = state.hardState
    this.#spare = this.#prepareSpare()
  }

  /** Resolves when there is room for what comes. Rejects with the failure. */
  async ready(): Promise<void> {
    await this.#spare.catch(() => undefined)
    if (this.#failure !== undefined) throw this.#failure
  }

  get failure(): JangadaError | undefined {
    return this.#failure
  }

  /** Resolves once it, and everything before it, is durable. */
  append(request: AppendRequest): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#closed) return Promise.reject(closedError())
    this.#accept(request)
    const { hardState } = request
    if (request.mustSync === false && this.#isIdle()) {
      assert(request.entries.length === 0, 'entries are always synced')
      if (hardState !== undefined) this.#lazyHardState = hardState
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, bytes: sizeOf(request), resolve, reject })
      this.#running ??= this.#run()
    })
  }

  #isIdle(): boolean {
    return this.#running === undefined && this.#waiting.length === 0
  }

  /** Asserts that the log stays consecutive: a gap found at the next start would be a lost log. */
  #accept({ truncateFrom, entries, snapshot }: AppendRequest): void {
    if (snapshot !== undefined) this.#acceptedLast = snapshot
    if (truncateFrom !== undefined) {
      assert(entries.length > 0, 'entries are voided only by others in their place')
      assert(truncateFrom <= this.#acceptedLast.index + 1, 'only what is there is voided')
    }
    let next = truncateFrom ?? this.#acceptedLast.index + 1
    for (const entry of entries) {
      assert(entry.index === next, 'entries of the log are consecutive')
      next += 1
    }
    const last = entries.at(-1)
    if (last !== undefined) this.#acceptedLast = { index: last.index, term: last.term }
  }

  async #run(): Promise<void> {
    // One turn's wait lets everything of this turn into the first frame.
    await Promise.resolve()
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      const batch = this.#takeBatch()
      try {
        await this.#write(batch.map(({ request }) => request))
      } catch (error) {
        const failure = this.fail('writing the log', error)
        for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(failure)
        break
      }
      for (const { resolve } of batch) resolve()
    }
    this.#running = undefined
  }

  /** A request with a snapshot begins a batch: its file must be in place before its frame is. */
  #takeBatch(): Waiting[] {
    let count = 0
    let bytes = 0
    for (const { request, bytes: size } of this.#waiting) {
      const isTooMuch = bytes + size > this.#options.maxBatchBytes || request.snapshot !== undefined
      if (count > 0 && isTooMuch) break
      bytes += size
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #write(requests: readonly AppendRequest[]): Promise<void> {
    const [first] = requests
    // Requests that only waited for those before them: these are durable by now.
    if (requests.every((request) => recordsOf(request).next().done === true)) return
    if (first?.snapshot !== undefined) await this.#options.promote(first)
    const bytes = requests.reduce((sum, request) => sum + sizeOf(request), frameExtraBytes)
    await this.#makeRoom(frameLength(bytes))
    const writer = beginFrame(bytes)
    for (const record of this.#leadingRecords(requests)) writeRecord(writer, record)
    for (const request of requests) {
      for (const record of recordsOf(request)) {
        writeRecord(writer, record)
        this.#note(record)
      }
    }
    await this.#writeFrame(finishFrame(writer, this.#current.sequence, this.#current.offset))
  }

  #leadingRecords(requests: readonly AppendRequest[]): WalRecord[] {
    const records: WalRecord[] = []
    if (this.#current.offset === firstFrameOffset) {
      records.push({ kind: 'start', last: this.#writtenLast, hardState: this.#writtenHardState })
    }
    const lazy = this.#lazyHardState
    this.#lazyHardState = undefined
    if (lazy !== undefined && requests.every(({ hardState }) => hardState === undefined)) {
      records.push({ kind: 'hardState', hardState: lazy })
      this.#writtenHardState = lazy
    }
    return records
  }

  /** Keeps what is known of the log in step with what is written. */
  #note(record: WalRecord): void {
    if (record.kind === 'entry') {
      const { index, term } = record.entry
      this.#writtenLast = { index, term }
      this.#currentMaxIndex = Math.max(this.#currentMaxIndex, index)
    } else if (record.kind === 'reset') {
      this.#writtenLast = record.last
      this.#currentMaxIndex = record.last.index
      // Whatever came before is void, so nothing but this snapshot's own file holds it back.
      for (const segment of this.#full) segment.maxIndex = 0
    } else if (record.kind === 'hardState') this.#writtenHardState = record.hardState
  }

  async #writeFrame(frame: Uint8Array): Promise<void> {
    const segment = this.#current
    assert(segment.offset + frame.length <= segment.capacity, 'a frame stays in its segment')
    await segment.file.write(segment.offset, frame)
    await segment.file.sync()
    segment.offset += frame.length
    this.#options.onWritten?.(frame.length)
  }

  async #makeRoom(bytes: number): Promise<void> {
    const needed = bytes + sealBytes
    if (this.#current.offset + needed <= this.#current.capacity) return
    if (this.#current.offset > firstFrameOffset) await this.#rotate()
    const capacity = firstFrameOffset + needed
    if (capacity <= this.#current.capacity) return
    await this.#current.file.allocate(capacity)
    this.#current.capacity = capacity
  }

  /** The next segment is durable before this one is sealed: a seal without a successor is damage. */
  async #rotate(): Promise<void> {
    const next = await this.#spare
    const sealed = this.#current
    const writer = beginFrame(1)
    writeRecord(writer, { kind: 'seal' })
    await this.#writeFrame(finishFrame(writer, sealed.sequence, sealed.offset))
    await sealed.file.close()
    const { sequence, path } = sealed
    this.#full.push({ sequence, path, maxIndex: this.#currentMaxIndex })
    this.#current = next
    this.#currentMaxIndex = 0
    this.#spare = this.#prepareSpare()
  }

  #prepareSpare(): Promise<Segment> {
    const { segmentBytes } = this.#options
    const sequence = this.#current.sequence + 1
    const spare = createSegment(this.#disk, this.#paths, this.#identity, sequence, segmentBytes)
    spare.catch((error: unknown) => this.fail('making a segment of the log', error))
    return spare
  }

  /**
   * Removes full segments whose entries are all at or below `upto`. A segment goes only once a
   * later one begins, durably, with the hard state: released first, a vote could be forgotten.
   */
  async release(upto: number): Promise<void> {
    if (this.#current.offset === firstFrameOffset) return
    let count = 0
    while (count < this.#full.length && this.#full[count]!.maxIndex <= upto) count += 1
    for (const { path } of this.#full.splice(0, count)) await this.#disk.remove(path)
    if (count > 0) await this.#disk.syncDirectory(this.#paths.segments)
  }

  /** Ends the writer's life. `error` is what the disk said, or our own mistake. */
  fail(what: string, error: unknown): JangadaError {
    if (this.#failure !== undefined) return this.#failure
    const failure = isOfDisk(error)
      ? diskFailed(what, error)
      : ownMistake(`a mistake of Jangada itself while ${what}`, error)
    this.#failure = failure
    for (const { reject } of this.#waiting.splice(0)) reject(failure)
    this.#options.onFailure(failure)
    return failure
  }

  /** Resolves when everything accepted is durable, unless it has failed, and the files are closed. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
    const closing = [this.#spare, this.#current].map(async (segment) =>
      (await segment).file.close(),
    )
    // Of what has failed only the files are let go, as well as they can be.
    if (this.#failure === undefined) await Promise.all(closing)
    else await Promise.allSettled(closing)
  }
}

function closedError(): JangadaError {
  return new JangadaError('JGD_SHUTTING_DOWN', 'the log is closed')
}
