/**
 * One operation of a history, as one line of JSON tells it to us and to checkers of others. A
 * history is what clients asked of the store and were told, with the times of both.
 */
import { JangadaError } from '../../src/base/errors.ts'

export interface Operation {
  /** Sequential: it asks when it was answered. Its operation with an unknown end is its last. */
  readonly client: number
  readonly op: 'get' | 'put' | 'cas'
  readonly key: string
  /** Of a get: what was read. Of a put or cas: what was to be written. Null: no such key. */
  readonly value: string | null
  /** Of a cas: what had to be there. Otherwise null. */
  readonly expected: string | null
  /** False: a cas found something else. Null: it may take effect at any later time, or never. */
  readonly ok: boolean | null
  /** Nanoseconds of one monotonic clock, whole and below 2^53. */
  readonly start: number
  /** Null when the outcome is unknown. */
  readonly end: number | null
}

/** With its members in the order in which they are told. */
export const lineOf = ({ client, op, key, value, expected, ok, start, end }: Operation): string =>
  JSON.stringify({ client, op, key, value, expected, ok, start, end })

export const textOf = (operations: readonly Operation[]): string =>
  operations.map((operation) => `${lineOf(operation)}\n`).join('')

/** Throws `JGD_USAGE` that names the line when one is no operation, or a client is in two at once. */
export function parseHistory(text: string): Operation[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const operations = lines.map((line, at) => parseLine(line, at + 1))
  if (operations.length === 0) throw malformed('it has no operation')
  checkSequential(operations)
  return operations
}

function parseLine(line: string, number: number): Operation {
  let seen: unknown
  try {
    seen = JSON.parse(line)
  } catch {
    throw malformed(`line ${number} is not JSON`)
  }
  if (typeof seen !== 'object' || seen === null) throw malformed(`line ${number} is no object`)
  const operation = seen as Operation
  const { client, op, key, value, expected, ok, start, end } = operation
  const isText = (each: unknown): boolean => each === null || typeof each === 'string'
  const rules: readonly (readonly [boolean, string])[] = [
    [Number.isSafeInteger(client), 'client is a number'],
    [['get', 'put', 'cas'].includes(op), 'op is get, put or cas'],
    [typeof key === 'string', 'key is a text'],
    [isText(value), 'value is a text or null'],
    [isText(expected), 'expected is a text or null'],
    [ok === null || typeof ok === 'boolean', 'ok is true, false or null'],
    [Number.isSafeInteger(start), 'start is in whole nanoseconds below 2^53'],
    [
      end === null ? ok !== true : Number.isSafeInteger(end) && end >= start,
      'end is not before start, and null only where ok is not true',
    ],
  ]
  const broken = rules.find(([holds]) => !holds)
  if (broken !== undefined) throw malformed(`line ${number}: ${broken[1]}`)
  return operation
}

function checkSequential(operations: readonly Operation[]): void {
  const busyUntil = new Map<number, number>()
  for (const { client, start, end } of operations.toSorted((a, b) => a.start - b.start)) {
    if (start < (busyUntil.get(client) ?? -Infinity)) {
      throw malformed(`client ${client} begins an operation at ${start}, within another one`)
    }
    busyUntil.set(client, end ?? Infinity)
  }
}

const malformed = (what: string): JangadaError =>
  new JangadaError('JGD_USAGE', `this is no history: ${what}`, {
    hint: 'one JSON object a line: client, op, key, value, expected, ok, start, end',
  })
