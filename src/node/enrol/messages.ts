/** What a joining machine and the cluster say to each other, as JSON over TLS. */
import * as Type from 'typebox'
import { Compile } from 'typebox/compile'

export const enrolPath = '/v1/enrol'
export const renewPath = '/v1/renew'

/** A request has under 4 KiB, an answer under 16: certificates, and a few peers. */
export const enrolBodyBytesMax = 65_536

const hexId = Type.String({ pattern: '^[0-9a-f]{32}$' })
const pem = Type.String({ maxLength: 16_384 })
const shortText = Type.String({ maxLength: 256 })

export const machineFactsSchema = Type.Object({
  name: shortText,
  /** SMBIOS UUID as the kernel tells it; empty when there is none. */
  uuid: Type.String({ maxLength: 64 }),
  /** Permanent MAC addresses. */
  macs: Type.Array(Type.String({ pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$' }), { maxItems: 64 }),
  /** IPv4 address on which the other machines will reach it. */
  address: Type.String({ maxLength: 64 }),
})
export type MachineFacts = Type.Static<typeof machineFactsSchema>

export const enrolRequestSchema = Type.Object({
  proof: Type.Union([
    Type.Object({
      kind: Type.Literal('token'),
      id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
      secret: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    Type.Object({ kind: Type.Literal('nonce'), nonce: shortText }),
  ]),
  /** PKCS#10: proves that the machine holds its key. Its subject is not looked at. */
  request: pem,
  facts: machineFactsSchema,
})
export type EnrolRequest = Type.Static<typeof enrolRequestSchema>

export const peerSchema = Type.Object({
  machineId: hexId,
  /** Host and port of its peer door. */
  address: shortText,
})
export type Peer = Type.Static<typeof peerSchema>

const admittedSchema = Type.Object({
  state: Type.Literal('admitted'),
  machineId: hexId,
  clusterId: hexId,
  certificatePem: pem,
  authorityPem: pem,
  roleCeiling: Type.Union([Type.Literal('client'), Type.Literal('voter')]),
  peers: Type.Array(peerSchema, { maxItems: 64 }),
  /** The cluster's time, for a machine whose own clock is wrong. */
  wallMs: Type.Number({ minimum: 0 }),
})
export type Admitted = Type.Static<typeof admittedSchema>

const pendingSchema = Type.Object({
  state: Type.Literal('pending'),
  machineId: hexId,
  /** Ask again no sooner. */
  retryAfterMs: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
  wallMs: Type.Number({ minimum: 0 }),
})

export const enrolAnswerSchema = Type.Union([admittedSchema, pendingSchema])
/** `admitted` goes out with status 200, `pending` with 202. */
export type EnrolAnswer = Type.Static<typeof enrolAnswerSchema>

export const renewRequestSchema = Type.Object({
  request: pem,
  addresses: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 16 }),
})
export type RenewRequest = Type.Static<typeof renewRequestSchema>

const errorBodySchema = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    hint: Type.Optional(Type.String()),
  }),
})
export type RemoteError = Type.Static<typeof errorBodySchema>

type Checker<T> = (value: unknown) => value is T

/** Compiles on first use: most processes never enrol anyone. */
function lazily<T>(compile: () => { Check(value: unknown): boolean }): Checker<T> {
  let compiled: { Check(value: unknown): boolean } | undefined
  return (value): value is T => {
    compiled ??= compile()
    return compiled.Check(value)
  }
}

export const isEnrolRequest = lazily<EnrolRequest>(() => Compile(enrolRequestSchema))
export const isEnrolAnswer = lazily<EnrolAnswer>(() => Compile(enrolAnswerSchema))
export const isRenewRequest = lazily<RenewRequest>(() => Compile(renewRequestSchema))
export const isRemoteError = lazily<RemoteError>(() => Compile(errorBodySchema))
