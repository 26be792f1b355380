/** Reads the segments of a directory back into a log, and says where writing goes on. */
import type { Disk } from '../../ports/disk.ts'
import { damaged } from './errors.ts'
import type { WalIdentity } from './identity.ts'
import { sequenceOf, type WalPaths } from './paths.ts'
import { Replay } from './replay.ts'
import { eraseTorn, sealBytes, scanSegment, type ScannedSegment, type Segment } from './segment.ts'

/** A full segment that is kept. Invariant: it holds no entry above `maxIndex` that still counts. */
export interface FullSegment {
  readonly sequence: number
  readonly path: string
  maxIndex: number
}

export interface LogRead {
  readonly replay: Replay
  readonly full: FullSegment[]
  /** Where writing goes on; its file is open. */
  readonly current: Segment
  readonly currentMaxIndex: number
  /** Segments before a gap in the sequence. Not needed if the log after it is enough. */
  readonly beforeGap: readonly string[]
  /** Bytes of a torn write that were cut off. */
  readonly tornBytes: number
}

/** Rejects with JGD_WAL_DAMAGED, JGD_WAL_FOREIGN, JGD_WAL_VERSION or a `DiskError`. */
export async function readLog(
  disk: Disk,
  paths: WalPaths,
  identity: WalIdentity,
): Promise<LogRead> {
  const { sequences, beforeGap } = await listSegments(disk, paths)
  const replay = new Replay()
  const full: FullSegment[] = []
  for (const [position, sequence] of sequences.entries()) {
    const path = paths.segment(sequence)
    const bytes = await disk.readFile(path)
    const scanned = scanSegment(bytes, path, identity, sequence)
    // Whoever seals a segment has made the next one durable first, header and all.
    if (scanned.kind === 'unused') throw damaged(path, 0, 'its header is missing')
    // Segments are released from the front only once a later one has begun with where the log
    // stood: the oldest that is kept says nothing only in a log that has just been made.
    if (position === 0 && sequence > 1 && scanned.frames.length === 0) {
      throw damaged(paths.segment(sequence - 1), 0, 'it is missing')
    }
    const maxIndex = replaySegment(replay, scanned, path)
    if (!scanned.isSealed) {
      const next = sequences[position + 1]
      if (next !== undefined)
        await removeSpare(disk, paths, identity, next, sequences.length - position)
      await syncSealed(disk, full.at(-1))
      const current = await continueIn(disk, path, sequence, bytes.length, scanned)
      const tornBytes = Math.max(0, scanned.tornEnd - scanned.end)
      return { replay, full, current, currentMaxIndex: maxIndex, beforeGap, tornBytes }
    }
    if (scanned.tornEnd > 0) throw damaged(path, scanned.end, 'something follows its end')
    full.push({ sequence, path, maxIndex })
  }
  throw damaged(paths.segment((sequences.at(-1) ?? 0) + 1), 0, 'it is missing')
}

/** The segments up to the newest, as far back as they are consecutive. */
async function listSegments(
  disk: Disk,
  paths: WalPaths,
): Promise<{ readonly sequences: readonly number[]; readonly beforeGap: readonly string[] }> {
  const sequences: number[] = []
  const names = await disk.list(paths.segments)
  for (const name of names) {
    const sequence = sequenceOf(name)
    if (sequence === undefined) throw damaged(`${paths.segments}/${name}`, 0, 'it is no segment')
    sequences.push(sequence)
  }
  sequences.sort((a, b) => a - b)
  let first = sequences.length - 1
  while (first > 0 && sequences[first - 1] === sequences[first]! - 1) first -= 1
  const beforeGap = sequences.slice(0, Math.max(0, first)).map((one) => paths.segment(one))
  return { sequences: sequences.slice(Math.max(0, first)), beforeGap }
}

/** Returns the highest index that the segment holds and that its own end does not void. */
function replaySegment(
  replay: Replay,
  scanned: Extract<ScannedSegment, { kind: 'used' }>,
  path: string,
): number {
  let maxIndex = 0
  for (const { offset, records } of scanned.frames) {
    for (const record of records) {
      const fault = replay.take(record)
      if (fault !== undefined) throw damaged(path, offset, fault)
      if (record.kind === 'entry') maxIndex = Math.max(maxIndex, record.entry.index)
      if (record.kind === 'reset') maxIndex = record.last.index
    }
  }
  return maxIndex
}

/** A segment is made before the one in use is full: a crash may leave it, with nothing in it. */
async function removeSpare(
  disk: Disk,
  paths: WalPaths,
  identity: WalIdentity,
  sequence: number,
  segmentsLeft: number,
): Promise<void> {
  const path = paths.segment(sequence)
  const scanned = scanSegment(await disk.readFile(path), path, identity, sequence)
  const isSpare = segmentsLeft === 2 && (scanned.kind === 'unused' || scanned.frames.length === 0)
  if (!isSpare)
    throw damaged(paths.segment(sequence - 1), 0, 'its end is missing, and others follow')
  await disk.remove(path)
}

/**
 * What a process reads need not be durable: when only the process before it died, its last writes
 * are in the kernel's memory and would be lost with the power. Nothing may be built upon them
 * before they are synced: the last segment's frames, and the seal of the one before.
 */
async function syncSealed(disk: Disk, sealed: FullSegment | undefined): Promise<void> {
  if (sealed === undefined) return
  const file = await disk.open(sealed.path, { create: false })
  await file.sync()
  await file.close()
}

async function continueIn(
  disk: Disk,
  path: string,
  sequence: number,
  length: number,
  scanned: Extract<ScannedSegment, { kind: 'used' }>,
): Promise<Segment> {
  const file = await disk.open(path, { create: false })
  if (scanned.tornEnd > scanned.end) await eraseTorn(file, scanned.end, scanned.tornEnd)
  // A segment that was made longer for a long frame may have lost what was to follow it.
  const capacity = Math.max(length, scanned.end + sealBytes)
  if (capacity > length) await file.allocate(capacity)
  await file.sync()
  return { sequence, path, file, capacity, offset: scanned.end }
}
