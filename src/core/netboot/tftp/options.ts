/** Which transfer options are granted: only those that were asked for, within our bounds. */
import type { ReadRequest } from './packet.ts'

export interface TransferTerms {
  readonly blockBytes: number
  /** Blocks sent before an acknowledgement is awaited (RFC 7440). */
  readonly windowBlocks: number
  /** What the OACK says, in the order asked; empty means that none is sent. */
  readonly granted: ReadonlyMap<string, string>
}

/** RFC 1350's block, for clients that ask for no other. */
const blockBytesDefault = 512
const blockBytesMin = 8
/** A lost block costs a window; past this size there is nothing left to gain on one link. */
export const windowBlocksMax = 64

/** `mtuBytes` of the link: a block with its IP, UDP and TFTP headers must not be fragmented. */
export function agreeOnTerms(
  request: ReadRequest,
  fileBytes: number,
  mtuBytes: number,
): TransferTerms {
  const granted = new Map<string, string>()
  let blockBytes = blockBytesDefault
  let windowBlocks = 1
  for (const [name, value] of request.options) {
    const asked = /^[0-9]{1,10}$/.test(value) ? Number(value) : undefined
    if (asked === undefined) continue
    if (name === 'blksize' && asked >= blockBytesMin) {
      blockBytes = Math.min(asked, mtuBytes - 32)
      granted.set(name, String(blockBytes))
    } else if (name === 'windowsize' && asked >= 1) {
      windowBlocks = Math.min(asked, windowBlocksMax)
      granted.set(name, String(windowBlocks))
    } else if (name === 'tsize') {
      granted.set(name, String(fileBytes))
    }
  }
  return { blockBytes, windowBlocks, granted }
}

/**
 * The asset that a requested name means. Firmware writes `\` for `/` or begins with one; what is
 * left must be exactly a name of the allow-list, so no path is ever built from a request.
 */
export function allowedName(
  fileName: string,
  allowed: (name: string) => boolean,
): string | undefined {
  const name = fileName.replace(/\\/g, '/').replace(/^\/+/, '')
  return allowed(name) ? name : undefined
}
