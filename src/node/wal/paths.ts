/** Where the log's files lie below its directory. */

export interface WalPaths {
  readonly directory: string
  readonly identity: string
  readonly segments: string
  readonly snapshots: string
  segment(sequence: number): string
}

const segmentSuffix = '.log'
const sequenceDigits = 16

export function walPaths(directory: string): WalPaths {
  const segments = `${directory}/segments`
  return {
    directory,
    identity: `${directory}/identity`,
    segments,
    snapshots: `${directory}/snapshots`,
    segment: (sequence) =>
      `${segments}/${String(sequence).padStart(sequenceDigits, '0')}${segmentSuffix}`,
  }
}

/** Undefined when `name` is not a segment's. */
export function sequenceOf(name: string): number | undefined {
  return /^\d{16}\.log$/.test(name) ? Number(name.slice(0, sequenceDigits)) : undefined
}
