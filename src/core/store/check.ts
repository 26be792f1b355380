/**
 * What a command must be before it may enter the log. The API asks here, so that a caller's
 * mistake is told before anything is proposed; `apply` asks again, because a log is only bytes.
 */
import { assertNever } from '../../base/assert.ts'
import type { Command, Compare, LeaseId, Operation, RangeRequest, Transaction } from './types.ts'
import * as bounds from './types.ts'

/** Compares are cheap, but not free. */
export const maxComparesPerTransaction = 2 * bounds.maxOperationsPerTransaction

/** What is wrong with `command`, as the end of a sentence, or undefined when nothing is. */
export function faultOfCommand(command: Command): string | undefined {
  switch (command.kind) {
    case 'transaction':
      return faultOfTransaction(command.transaction)
    case 'leaseGrant':
      return faultOfLeaseId(command.id) ?? faultOfTtl(command.ttlMs)
    case 'leaseRevoke':
      return faultOfLeaseId(command.id) ?? faultOfNatural(command.term, 'a term')
    case 'compact':
      return faultOfNatural(command.revision, 'a revision')
    default:
      return assertNever(command)
  }
}

export function faultOfTransaction(transaction: Transaction): string | undefined {
  const { compare, then, otherwise } = transaction
  if (compare.length > maxComparesPerTransaction) {
    return `a transaction has at most ${maxComparesPerTransaction} compares`
  }
  if (then.length + otherwise.length > bounds.maxOperationsPerTransaction) {
    return `a transaction has at most ${bounds.maxOperationsPerTransaction} operations`
  }
  if (bytesOfTransaction(transaction) > bounds.maxTransactionBytes) {
    return `a transaction has at most ${bounds.maxTransactionBytes} bytes`
  }
  return (
    faultOfNatural(transaction.term, 'a term') ??
    firstFault(compare, faultOfCompare) ??
    faultOfBranch(then) ??
    faultOfBranch(otherwise)
  )
}

/** Keys count two bytes a unit, which UTF-8 exceeds by half at most. */
function bytesOfTransaction({ compare, then, otherwise }: Transaction): number {
  let bytes = 0
  for (const one of compare) {
    bytes += 2 * one.key.length + (one.target === 'value' ? one.to.length : 0)
  }
  for (const operation of [...then, ...otherwise]) {
    if (operation.kind === 'range') bytes += 2 * operation.range.key.length
    else bytes += 2 * operation.key.length
    if (operation.kind === 'put') bytes += operation.value.length
  }
  return bytes
}

function faultOfBranch(operations: readonly Operation[]): string | undefined {
  return firstFault(operations, faultOfOperation) ?? faultOfTwiceWritten(operations)
}

function faultOfOperation(operation: Operation): string | undefined {
  switch (operation.kind) {
    case 'put':
      return (
        faultOfValue(operation.value) ??
        faultOfKey(operation.key) ??
        (operation.lease === undefined ? undefined : faultOfLeaseId(operation.lease))
      )
    case 'delete':
      return faultOfKey(operation.key) ?? faultOfRangeEnd(operation.rangeEnd)
    case 'range':
      return faultOfRange(operation.range)
    default:
      return assertNever(operation)
  }
}

export function faultOfRange(range: RangeRequest): string | undefined {
  return (
    faultOfKey(range.key) ??
    faultOfRangeEnd(range.rangeEnd) ??
    faultOfNatural(range.limit, 'a limit') ??
    faultOfNatural(range.revision, 'a revision')
  )
}

/** So that all of a transaction can take effect at one revision, in no order. */
function faultOfTwiceWritten(operations: readonly Operation[]): string | undefined {
  const puts = new Set<string>()
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    if (puts.has(operation.key)) return `a transaction puts ${operation.key} once`
    puts.add(operation.key)
  }
  const sorted = [...puts].toSorted(byCodeUnit)
  for (const operation of operations) {
    if (operation.kind !== 'delete') continue
    const { key, rangeEnd } = operation
    const covered =
      rangeEnd === undefined ? puts.has(key) : sorted.some((put) => put >= key && put < rangeEnd)
    if (covered) return `a transaction does not both put and delete a key (${key})`
  }
  return undefined
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function faultOfCompare(compare: Compare): string | undefined {
  const fault = faultOfKey(compare.key)
  if (fault !== undefined) return fault
  if (compare.target === 'value') return faultOfValue(compare.to)
  return faultOfNatural(compare.to, 'a compared number')
}

function faultOfValue({ length }: Uint8Array): string | undefined {
  return length > bounds.maxValueBytes
    ? `a value has at most ${bounds.maxValueBytes} bytes`
    : undefined
}

function faultOfKey(key: string): string | undefined {
  if (key.length === 0 || key.length > bounds.maxKeyLength) {
    return `a key has 1 to ${bounds.maxKeyLength} characters`
  }
  return key.isWellFormed() ? undefined : 'a key is well-formed Unicode'
}

/** A range's end is not a key: it may be longer by one, as the end just after a key is. */
function faultOfRangeEnd(end: string | undefined): string | undefined {
  if (end === undefined) return undefined
  if (end.length > bounds.maxKeyLength + 1) return `a range's end is as short as a key`
  return end.isWellFormed() ? undefined : `a range's end is well-formed Unicode`
}

function faultOfLeaseId(id: LeaseId): string | undefined {
  if (id.length === 0 || id.length > bounds.maxLeaseIdLength) {
    return `a lease's id has 1 to ${bounds.maxLeaseIdLength} characters`
  }
  return id.isWellFormed() ? undefined : `a lease's id is well-formed Unicode`
}

function faultOfTtl(ttlMs: number): string | undefined {
  const isWithin = Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= bounds.maxLeaseTtlMs
  return isWithin ? undefined : `a lease lives 1 to ${bounds.maxLeaseTtlMs} ms`
}

function faultOfNatural(value: number | undefined, what: string): string | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return undefined
  return `${what} is an integer >= 0`
}

function firstFault<T>(
  items: readonly T[],
  fault: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const found = fault(item)
    if (found !== undefined) return found
  }
  return undefined
}
