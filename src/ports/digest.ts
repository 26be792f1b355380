/**
 * A running SHA-256, for bytes too many to hold at once. Apart from `Crypto`, because it needs no
 * key and is all that the rooms which move files ask for.
 */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** 64 lower-case hex digits. Called once; nothing may be added afterwards. */
  digestHex(): string
}

export type NewSha256 = () => Sha256
