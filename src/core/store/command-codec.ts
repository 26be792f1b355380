/**
 * Commands as the bytes of a log entry: a format version, the kind, the fields. One command has
 * one encoding. Bytes that are not a command are a typed failure, never a crash.
 */
import { assertNever } from '../../base/assert.ts'
import { type ByteReader, MalformedBytesError, readWhole } from '../../base/byte-reader.ts'
import { ByteWriter } from '../../base/byte-writer.ts'
import { revision as toRevision, term as toTerm } from '../../base/ids.ts'
import { maxComparesPerTransaction } from './check.ts'
import { maxKeyBytes, maxLeaseIdBytes } from './snapshot-format.ts'
import type { Command, Compare, Operation, RangeRequest, Transaction } from './types.ts'
import { maxOperationsPerTransaction, maxTransactionBytes } from './types.ts'

export const commandFormat = 1

/** The commands of the log and their bytes. A number is never given another meaning. */
export const commandKinds = {
  transaction: 1,
  leaseGrant: 2,
  leaseRevoke: 3,
  compact: 4,
} as const satisfies Record<Command['kind'], number>

const targets = ['version', 'createRevision', 'modRevision', 'value'] as const
const relations = ['=', '!=', '<', '>'] as const
const operationKinds = { put: 1, putOnLease: 2, delete: 3, deleteRange: 4, range: 5 } as const
const rangeFlags = { end: 1, limit: 2, revision: 4, keysOnly: 8 } as const

/**
 * More than a value may have: what is in a log is there for good, and an entry that cannot be read
 * ends every member. One that can be is refused when it is applied (`faultOfCommand`), by all alike.
 */
const maxValueBytesRead = maxTransactionBytes

export type DecodedCommand =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'malformed'; readonly reason: string }
  /**
   * Made by a newer Jangada. A member that cannot apply an entry must stop: passing over it would
   * part this member's state from the others'.
   */
  | { readonly kind: 'newerFormat'; readonly format: number }

export function encodeCommand(command: Command): Uint8Array {
  const writer = new ByteWriter()
  writer.uint8(commandFormat)
  writer.uint8(commandKinds[command.kind])
  switch (command.kind) {
    case 'transaction':
      writeTransaction(writer, command.transaction)
      break
    case 'leaseGrant':
      writer.text(command.id)
      writer.varint(command.ttlMs)
      break
    case 'leaseRevoke':
      writer.text(command.id)
      writeOptional(writer, command.term)
      break
    case 'compact':
      writer.varint(command.revision)
      break
    default:
      assertNever(command)
  }
  return writer.take()
}

/** Values are views of `bytes`; the store copies those that it keeps. */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  const format = bytes[0]
  if (format !== undefined && format > commandFormat) return { kind: 'newerFormat', format }
  const result = readWhole(bytes, readCommand)
  return result.kind === 'read' ? { kind: 'command', command: result.value } : result
}

function readCommand(reader: ByteReader): Command {
  if (reader.uint8() !== commandFormat) throw new MalformedBytesError('no command format')
  const kind = reader.uint8()
  switch (kind) {
    case commandKinds.transaction:
      return { kind: 'transaction', transaction: readTransaction(reader) }
    case commandKinds.leaseGrant:
      return { kind: 'leaseGrant', id: reader.text(maxLeaseIdBytes), ttlMs: reader.varint() }
    case commandKinds.leaseRevoke: {
      const id = reader.text(maxLeaseIdBytes)
      const term = readOptional(reader)
      return { kind: 'leaseRevoke', id, term: term === undefined ? undefined : toTerm(term) }
    }
    case commandKinds.compact:
      return { kind: 'compact', revision: toRevision(reader.varint()) }
    default:
      throw new MalformedBytesError(`a command of kind ${kind}`)
  }
}

function writeTransaction(writer: ByteWriter, transaction: Transaction): void {
  writeOptional(writer, transaction.term)
  writer.varint(transaction.compare.length)
  for (const compare of transaction.compare) writeCompare(writer, compare)
  for (const branch of [transaction.then, transaction.otherwise]) {
    writer.varint(branch.length)
    for (const operation of branch) writeOperation(writer, operation)
  }
}

function readTransaction(reader: ByteReader): Transaction {
  const term = readOptional(reader)
  const compare = readList(reader, maxComparesPerTransaction, readCompare)
  const then = readList(reader, maxOperationsPerTransaction, readOperation)
  const otherwise = readList(reader, maxOperationsPerTransaction, readOperation)
  const transaction = { compare, then, otherwise }
  return term === undefined ? transaction : { ...transaction, term: toTerm(term) }
}

function writeCompare(writer: ByteWriter, compare: Compare): void {
  writer.uint8(targets.indexOf(compare.target) * relations.length + relations.indexOf(compare.is))
  writer.text(compare.key)
  if (compare.target === 'value') writer.bytes(compare.to)
  else writer.varint(compare.to)
}

function readCompare(reader: ByteReader): Compare {
  const code = reader.uint8()
  const target = targets[Math.floor(code / relations.length)]
  const is = relations[code % relations.length]
  if (target === undefined || is === undefined) throw new MalformedBytesError('a strange compare')
  const key = reader.text(maxKeyBytes)
  if (target !== 'value') return { target, key, is, to: reader.varint() }
  if (is !== '=' && is !== '!=') throw new MalformedBytesError('values have no order')
  return { target, key, is, to: reader.bytes(maxValueBytesRead) }
}

function writeOperation(writer: ByteWriter, operation: Operation): void {
  switch (operation.kind) {
    case 'put':
      writer.uint8(operation.lease === undefined ? operationKinds.put : operationKinds.putOnLease)
      writer.text(operation.key)
      writer.bytes(operation.value)
      if (operation.lease !== undefined) writer.text(operation.lease)
      return
    case 'delete':
      writer.uint8(
        operation.rangeEnd === undefined ? operationKinds.delete : operationKinds.deleteRange,
      )
      writer.text(operation.key)
      if (operation.rangeEnd !== undefined) writer.text(operation.rangeEnd)
      return
    case 'range':
      writer.uint8(operationKinds.range)
      writeRange(writer, operation.range)
      return
    default:
      assertNever(operation)
  }
}

function readOperation(reader: ByteReader): Operation {
  const kind = reader.uint8()
  switch (kind) {
    case operationKinds.put:
    case operationKinds.putOnLease: {
      const key = reader.text(maxKeyBytes)
      const value = reader.bytes(maxValueBytesRead)
      if (kind === operationKinds.put) return { kind: 'put', key, value }
      return { kind: 'put', key, value, lease: reader.text(maxLeaseIdBytes) }
    }
    case operationKinds.delete:
      return { kind: 'delete', key: reader.text(maxKeyBytes) }
    case operationKinds.deleteRange: {
      const key = reader.text(maxKeyBytes)
      return { kind: 'delete', key, rangeEnd: reader.text(maxKeyBytes) }
    }
    case operationKinds.range:
      return { kind: 'range', range: readRange(reader) }
    default:
      throw new MalformedBytesError(`an operation of kind ${kind}`)
  }
}

function writeRange(writer: ByteWriter, range: RangeRequest): void {
  const { rangeEnd, limit, revision, keysOnly } = range
  let flags = 0
  if (rangeEnd !== undefined) flags |= rangeFlags.end
  if (limit !== undefined) flags |= rangeFlags.limit
  if (revision !== undefined) flags |= rangeFlags.revision
  if (keysOnly === true) flags |= rangeFlags.keysOnly
  writer.uint8(flags)
  writer.text(range.key)
  if (rangeEnd !== undefined) writer.text(rangeEnd)
  if (limit !== undefined) writer.varint(limit)
  if (revision !== undefined) writer.varint(revision)
}

function readRange(reader: ByteReader): RangeRequest {
  const flags = reader.uint8()
  if (flags > 15) throw new MalformedBytesError('unknown flags of a range')
  const key = reader.text(maxKeyBytes)
  return {
    key,
    ...(flags & rangeFlags.end ? { rangeEnd: reader.text(maxKeyBytes) } : {}),
    ...(flags & rangeFlags.limit ? { limit: reader.varint() } : {}),
    ...(flags & rangeFlags.revision ? { revision: toRevision(reader.varint()) } : {}),
    ...(flags & rangeFlags.keysOnly ? { keysOnly: true } : {}),
  }
}

/** Zero for none, or one more than the number. */
function writeOptional(writer: ByteWriter, value: number | undefined): void {
  writer.varint(value === undefined ? 0 : value + 1)
}

function readOptional(reader: ByteReader): number | undefined {
  const value = reader.varint()
  return value === 0 ? undefined : value - 1
}

function readList<T>(reader: ByteReader, max: number, read: (reader: ByteReader) => T): T[] {
  const count = reader.count(max)
  const items: T[] = []
  for (let i = 0; i < count; i += 1) items.push(read(reader))
  return items
}
