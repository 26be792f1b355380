/** TFTP messages as bytes and as values (RFC 1350, 2347, 2348, 2349, 7440). */
import { assert } from '../../../base/assert.ts'
import { concat, fromUtf8, utf8 } from '../../../base/bytes.ts'

const opcode = { readRequest: 1, writeRequest: 2, data: 3, ack: 4, error: 5, optionAck: 6 } as const

export const errorCode = {
  undefinedError: 0,
  fileNotFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  /** The client gives up for reasons of its own, option negotiation among them (RFC 2347). */
  optionRefused: 8,
} as const

export type TftpPacket =
  | ReadRequest
  | { readonly kind: 'write-request' }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  /** Well-formed, but nothing a server is sent: DATA or OACK. */
  | { readonly kind: 'not-for-servers' }

export interface ReadRequest {
  readonly kind: 'read-request'
  readonly fileName: string
  readonly mode: string
  /** Names in lower case; the first of a repeated name counts. */
  readonly options: ReadonlyMap<string, string>
}

/** RFC 2347 allows no larger request. */
const requestBytesMax = 512
/** Requests in the field carry four; more are not read. */
const requestOptionsMax = 16

/** Never throws; undefined for what is no TFTP message. */
export function decodeTftp(bytes: Uint8Array): TftpPacket | undefined {
  if (bytes.length < 4 || bytes[0] !== 0) return undefined
  const number = ((bytes[2] as number) << 8) | (bytes[3] as number)
  switch (bytes[1]) {
    case opcode.readRequest:
      return decodeReadRequest(bytes)
    case opcode.writeRequest:
      return { kind: 'write-request' }
    case opcode.ack:
      return { kind: 'ack', block: number }
    case opcode.error: {
      const end = bytes.indexOf(0, 4)
      const text = bytes.subarray(4, end < 0 ? Math.min(bytes.length, requestBytesMax) : end)
      return { kind: 'error', code: number, message: fromUtf8(text) }
    }
    case opcode.data:
    case opcode.optionAck:
      return { kind: 'not-for-servers' }
    default:
      return undefined
  }
}

function decodeReadRequest(bytes: Uint8Array): ReadRequest | undefined {
  if (bytes.length > requestBytesMax) return undefined
  const fields: string[] = []
  let at = 2
  while (at < bytes.length) {
    const end = bytes.indexOf(0, at)
    // Some ROMs leave stray bytes after the last NUL; only the name and mode must be whole.
    if (end < 0) break
    fields.push(fromUtf8(bytes.subarray(at, end)))
    at = end + 1
  }
  const [fileName, mode, ...rest] = fields
  if (fileName === undefined || fileName === '' || mode === undefined) return undefined
  const options = new Map<string, string>()
  for (let i = 0; i + 1 < rest.length && options.size < requestOptionsMax; i += 2) {
    const name = (rest[i] as string).toLowerCase()
    if (name !== '' && !options.has(name)) options.set(name, rest[i + 1] as string)
  }
  return { kind: 'read-request', fileName, mode: mode.toLowerCase(), options }
}

/** `block` counts without end; the wire carries its lower 16 bits (so 65535 is followed by 0). */
export function encodeData(block: number, content: Uint8Array): Uint8Array {
  assert(block >= 1, 'data blocks are counted from one')
  const bytes = new Uint8Array(4 + content.length)
  bytes.set([0, opcode.data, (block >>> 8) & 0xff, block & 0xff])
  bytes.set(content, 4)
  return bytes
}

export function encodeOptionAck(options: ReadonlyMap<string, string>): Uint8Array {
  const parts: Uint8Array[] = [new Uint8Array([0, opcode.optionAck])]
  for (const [name, value] of options) parts.push(utf8(`${name}\0${value}\0`))
  return concat(parts)
}

export const encodeError = (code: number, message: string): Uint8Array =>
  concat([new Uint8Array([0, opcode.error, 0, code]), utf8(`${message}\0`)])
