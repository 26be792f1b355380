/** An archive's files, one after the other. */
export interface ArchiveEntry {
  readonly name: string
  /** Bytes that `content` will give. */
  readonly size: number
  /** Read once, to its end, before the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>
}

/** Unpacks a compressed archive as its bytes arrive. */
export type Unpack = (source: AsyncIterable<Uint8Array>) => AsyncIterable<ArchiveEntry>
