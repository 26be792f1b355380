/** A member's log on a simulated disk, and short words for what is written to it. */
import { clusterId, index, memberId, type Index, term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { JangadaError } from '../../../src/base/errors.ts'
import type { Entry, HardState, SnapshotRef } from '../../../src/core/raft/types.ts'
import type { WalIdentity } from '../../../src/node/wal/identity.ts'
import { type OpenedWal, Wal, type WalOptions } from '../../../src/node/wal/wal.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { SimulatedDisk } from '../../sim/disk.ts'

export const identity: WalIdentity = {
  clusterId: clusterId('0123456789abcdef0123456789abcdef'),
  memberId: memberId(7),
  incarnation: 'fedcba9876543210fedcba9876543210',
}

export const newDisk = (seed = 1): SimulatedDisk => new SimulatedDisk(new SeededRandom(seed))

export const options = (more: Partial<WalOptions> = {}): WalOptions => ({
  segmentBytes: 8192,
  onFailure: () => undefined,
  ...more,
})

/** A segment of 2 KiB is full after a few entries. */
export const small = (more: Partial<WalOptions> = {}): WalOptions =>
  options({ segmentBytes: 2048, ...more })

export const open = (disk: Disk, more: WalOptions = options()): Promise<OpenedWal> =>
  Wal.open(disk, identity, more)

export function entry(at: number, inTerm = 1, length = 20): Entry {
  const data = new Uint8Array(length).fill(at % 251 || 1)
  return { kind: 'normal', index: index(at), term: term(inTerm), data }
}

export const entries = (from: number, to: number, inTerm = 1, length = 20): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, inTerm, length))

export const hard = (inTerm: number, vote: number, commit: number): HardState => ({
  term: term(inTerm),
  vote: memberId(vote),
  commit: index(commit),
})

export const snapshotAt = (at: number, inTerm = 1): SnapshotRef => ({
  index: index(at),
  term: term(inTerm),
  config: {
    voters: [memberId(7)],
    outgoing: [],
    learners: [memberId(9)],
    learnersNext: [],
    autoLeave: false,
  },
})

export const indexesOf = (list: readonly Entry[]): Index[] => list.map((one) => one.index)

export async function textOf(wal: Wal, at: number): Promise<string | undefined> {
  const reading = await wal.readSnapshot(index(at))
  if (reading === undefined) return undefined
  let text = ''
  for await (const piece of reading.pieces) text += new TextDecoder().decode(piece)
  return text
}

/** The code of the error that `work` rejects with, or undefined when it does not. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    return (error as JangadaError).code ?? String(error)
  }
}

/** Zeros everything of a file from `offset` on, as if the write there had ended early. */
export async function cutFrom(disk: Disk, path: string, offset: number): Promise<void> {
  const file = await disk.open(path, { create: false })
  const size = await file.size()
  await file.write(offset, new Uint8Array(size - offset))
  await file.sync()
  await file.close()
}
