/**
 * What a frame says: a list of records, applied in order and together, because a frame is whole
 * or not there. Each is one byte of kind and its fields.
 */
import { assertNever } from '../../base/assert.ts'
import { type ByteReader, MalformedBytesError, readWhole } from '../../base/byte-reader.ts'
import type { ByteWriter } from '../../base/byte-writer.ts'
import {
  type Index,
  index as toIndex,
  memberId,
  type Term,
  term as toTerm,
} from '../../base/ids.ts'
import type { Entry, HardState } from '../../core/raft/types.ts'
import { readEntry, writeEntry } from './entry-codec.ts'

/** The end of a log: its last entry's place, or its snapshot's when it has no entry. */
export interface LogEnd {
  readonly index: Index
  readonly term: Term
}

export type WalRecord =
  /** First in every segment: where the log stood, so that older segments can be released. */
  | { readonly kind: 'start'; readonly last: LogEnd; readonly hardState: HardState }
  | { readonly kind: 'hardState'; readonly hardState: HardState }
  /** Entries at and after `from` are void. */
  | { readonly kind: 'truncate'; readonly from: Index }
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** A snapshot from another member took the place of the whole log. */
  | { readonly kind: 'reset'; readonly last: LogEnd }
  /** Last in a segment that is full: another one follows. */
  | { readonly kind: 'seal' }

const kinds = {
  start: 1,
  hardState: 2,
  truncate: 3,
  entry: 4,
  reset: 5,
  seal: 6,
} as const satisfies Record<WalRecord['kind'], number>

export function writeRecord(writer: ByteWriter, record: WalRecord): void {
  writer.uint8(kinds[record.kind])
  switch (record.kind) {
    case 'start':
      writeEnd(writer, record.last)
      writeHardState(writer, record.hardState)
      return
    case 'hardState':
      writeHardState(writer, record.hardState)
      return
    case 'truncate':
      writer.varint(record.from)
      return
    case 'entry':
      writeEntry(writer, record.entry)
      return
    case 'reset':
      writeEnd(writer, record.last)
      return
    case 'seal':
      return
    default:
      assertNever(record)
  }
}

/** Undefined when the payload is not a list of records. Data of entries are views of it. */
export function readRecords(payload: Uint8Array): readonly WalRecord[] | undefined {
  const result = readWhole(payload, (reader) => {
    const records: WalRecord[] = []
    while (reader.left > 0) records.push(readRecord(reader))
    return records
  })
  return result.kind === 'read' ? result.value : undefined
}

function readRecord(reader: ByteReader): WalRecord {
  const kind = reader.uint8()
  switch (kind) {
    case kinds.start:
      return { kind: 'start', last: readEnd(reader), hardState: readHardState(reader) }
    case kinds.hardState:
      return { kind: 'hardState', hardState: readHardState(reader) }
    case kinds.truncate:
      return { kind: 'truncate', from: toIndex(reader.varint()) }
    case kinds.entry:
      return { kind: 'entry', entry: readEntry(reader) }
    case kinds.reset:
      return { kind: 'reset', last: readEnd(reader) }
    case kinds.seal:
      return { kind: 'seal' }
    default:
      throw new MalformedBytesError(`a record of kind ${kind}`)
  }
}

function writeEnd(writer: ByteWriter, end: LogEnd): void {
  writer.varint(end.index)
  writer.varint(end.term)
}

function readEnd(reader: ByteReader): LogEnd {
  return { index: toIndex(reader.varint()), term: toTerm(reader.varint()) }
}

function writeHardState(writer: ByteWriter, hardState: HardState): void {
  writer.varint(hardState.term)
  writer.varint(hardState.vote)
  writer.varint(hardState.commit)
}

function readHardState(reader: ByteReader): HardState {
  const term = toTerm(reader.varint())
  const vote = memberId(reader.varint())
  return { term, vote, commit: toIndex(reader.varint()) }
}
