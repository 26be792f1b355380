/** The first frame of every peer stream, in both directions: who, what for, which version. */
import * as Type from 'typebox'
import { Compile } from 'typebox/compile'
import { Packr } from 'msgpackr'

/** Raised when frames change so that an older peer could misread them. */
export const wireFormat = 1

export const helloSchema = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  clusterId: Type.String({ maxLength: 64 }),
  machineId: Type.String({ maxLength: 64 }),
  /** `control` and `bulk` carry consensus; `calls` carries requests and answers. */
  purpose: Type.Union([Type.Literal('control'), Type.Literal('bulk'), Type.Literal('calls')]),
  /** The member that speaks, 0 for a client machine. */
  memberId: Type.Integer({ minimum: 0 }),
  /** The member that is meant, 0 for whoever answers; another one is refused. */
  toMemberId: Type.Integer({ minimum: 0 }),
  featureLevel: Type.Integer({ minimum: 0 }),
})
export type Hello = Type.Static<typeof helloSchema>

const packr = new Packr({ useRecords: false })
const check = Compile(helloSchema)

export const encodeHello = (hello: Hello): Uint8Array => packr.pack(hello)

/** Undefined when the bytes are not a hello. */
export function decodeHello(payload: Uint8Array): Hello | undefined {
  try {
    const value: unknown = packr.unpack(payload)
    return check.Check(value) ? value : undefined
  } catch {
    return undefined
  }
}
