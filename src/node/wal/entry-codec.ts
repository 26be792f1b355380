/**
 * Log entries as bytes. The log on disk and the append messages between members hold the same
 * form, so that an entry is laid out in one place and read in one place.
 *
 * A sequence of entries is a count and the entries. An entry is its kind (one byte), index, term,
 * and either its data or its change of membership; integers are varints.
 */
import { assert, assertNever } from '../../base/assert.ts'
import { type ByteReader, MalformedBytesError, readWhole } from '../../base/byte-reader.ts'
import { ByteWriter } from '../../base/byte-writer.ts'
import { index, memberId, type MemberId, term } from '../../base/ids.ts'
import type { ConfState, Entry, MemberChange, MemberStep } from '../../core/raft/types.ts'

/** The longest `data` of an entry. Raft's own `maxEntryBytes` must not exceed it. */
export const maxEntryDataBytes = 8 * 1024 * 1024
/** The most entries in one sequence. */
export const maxEntriesTogether = 65_536
/** The most steps in one change, and the most ids in one list of members. */
const maxMembers = 64

const kindOfEntry = { normal: 1, config: 2 } as const
const kindOfChange = { simple: 1, enterJoint: 2, leaveJoint: 3 } as const
const stepKinds = ['addVoter', 'addLearner', 'remove', 'update'] as const

export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  let bytes = 16
  for (const entry of entries) bytes += 32 + (entry.kind === 'normal' ? entry.data.length : 64)
  const writer = new ByteWriter(bytes)
  assert(entries.length <= maxEntriesTogether, 'a sequence of entries keeps to its bound')
  writer.varint(entries.length)
  for (const entry of entries) writeEntry(writer, entry)
  return writer.view()
}

/**
 * Undefined when the bytes are not what `encodeEntries` makes. `data` is a view of `bytes`: copy
 * it before keeping it longer than the rest of `bytes` is worth.
 */
export function decodeEntries(bytes: Uint8Array): readonly Entry[] | undefined {
  const result = readWhole(bytes, (reader) => {
    const entries: Entry[] = []
    const count = reader.count(maxEntriesTogether)
    for (let i = 0; i < count; i += 1) entries.push(readEntry(reader))
    return entries
  })
  return result.kind === 'read' ? result.value : undefined
}

export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.uint8(kindOfEntry[entry.kind])
  writer.varint(entry.index)
  writer.varint(entry.term)
  switch (entry.kind) {
    case 'normal':
      assert(entry.data.length <= maxEntryDataBytes, 'the data of an entry keeps to its bound')
      writer.bytes(entry.data)
      return
    case 'config':
      writeChange(writer, entry.change)
      return
    default:
      assertNever(entry)
  }
}

/** Throws `MalformedBytesError`. */
export function readEntry(reader: ByteReader): Entry {
  const kind = reader.uint8()
  const head = { index: index(reader.varint()), term: term(reader.varint()) }
  if (kind === kindOfEntry.normal) {
    return { kind: 'normal', ...head, data: reader.bytes(maxEntryDataBytes) }
  }
  if (kind === kindOfEntry.config) return { kind: 'config', ...head, change: readChange(reader) }
  throw new MalformedBytesError(`an entry of kind ${kind}`)
}

function writeChange(writer: ByteWriter, change: MemberChange): void {
  writer.uint8(kindOfChange[change.kind])
  if (change.kind === 'leaveJoint') return
  if (change.kind === 'enterJoint') writer.uint8(change.autoLeave ? 1 : 0)
  assert(change.steps.length <= maxMembers, 'a change of membership keeps to its bound')
  writer.varint(change.steps.length)
  for (const step of change.steps) {
    writer.uint8(stepKinds.indexOf(step.kind))
    writer.varint(step.id)
  }
}

function readChange(reader: ByteReader): MemberChange {
  const kind = reader.uint8()
  switch (kind) {
    case kindOfChange.simple:
      return { kind: 'simple', steps: readSteps(reader) }
    case kindOfChange.enterJoint: {
      const autoLeave = readFlag(reader)
      return { kind: 'enterJoint', autoLeave, steps: readSteps(reader) }
    }
    case kindOfChange.leaveJoint:
      return { kind: 'leaveJoint' }
    default:
      throw new MalformedBytesError(`a change of kind ${kind}`)
  }
}

function readSteps(reader: ByteReader): MemberStep[] {
  const steps: MemberStep[] = []
  const count = reader.count(maxMembers)
  for (let i = 0; i < count; i += 1) {
    const kind = stepKinds[reader.uint8()]
    if (kind === undefined) throw new MalformedBytesError('an unknown step')
    steps.push({ kind, id: memberId(reader.varint()) })
  }
  return steps
}

export function writeConfState(writer: ByteWriter, config: ConfState): void {
  for (const ids of [config.voters, config.outgoing, config.learners, config.learnersNext]) {
    assert(ids.length <= maxMembers, 'a list of members keeps to its bound')
    writer.varint(ids.length)
    for (const id of ids) writer.varint(id)
  }
  writer.uint8(config.autoLeave ? 1 : 0)
}

/** Throws `MalformedBytesError`. */
export function readConfState(reader: ByteReader): ConfState {
  const voters = readIds(reader)
  const outgoing = readIds(reader)
  const learners = readIds(reader)
  const learnersNext = readIds(reader)
  return { voters, outgoing, learners, learnersNext, autoLeave: readFlag(reader) }
}

function readIds(reader: ByteReader): MemberId[] {
  const ids: MemberId[] = []
  const count = reader.count(maxMembers)
  for (let i = 0; i < count; i += 1) ids.push(memberId(reader.varint()))
  return ids
}

function readFlag(reader: ByteReader): boolean {
  const value = reader.uint8()
  if (value > 1) throw new MalformedBytesError('a flag that is neither 0 nor 1')
  return value === 1
}
