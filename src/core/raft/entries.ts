/** Sizes and shapes of log entries. */
import { assertNever } from '../../base/assert.ts'
import type { Entry } from './types.ts'

/** What an entry costs beside its data: index, term, kind and length, roughly, on wire and disk. */
const entryOverheadBytes = 24
const memberStepBytes = 12

/** The bytes of an entry, as every bound of the core counts them. */
export function entryBytes(entry: Entry): number {
  return entryOverheadBytes + payloadBytes(entry)
}

/** The bytes of what an entry carries: 0 for the entry that begins a term. */
export function payloadBytes(entry: Entry): number {
  switch (entry.kind) {
    case 'normal':
      return entry.data.length
    case 'config':
      return entry.change.kind === 'leaveJoint' ? 0 : entry.change.steps.length * memberStepBytes
    default:
      return assertNever(entry)
  }
}

export function totalBytes(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}
