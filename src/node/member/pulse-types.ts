/** What pulses carry, between agents, voters and the leader. */
import * as Type from 'typebox'
import { unitStateSchema } from '../../core/records/schemas.ts'
import { checker } from './wire-schemas.ts'

/** More states than this wait for the next pulse. */
export const maxStatesPerPulse = 256
const maxPulsesPerRelay = 4096

const unitReportSchema = Type.Union([
  Type.Object({ kind: Type.Literal('state'), state: unitStateSchema }),
  /** The unit is neither placed here nor has it a container here any more. */
  Type.Object({ kind: Type.Literal('gone'), unit: Type.String({ maxLength: 1024 }) }),
])
export type UnitReport = Type.Static<typeof unitReportSchema>

const pulseSchema = Type.Object({
  bootId: Type.String({ maxLength: 128 }),
  /** The Raft member on this machine, 0 when there is none: a wiped machine says so here. */
  memberId: Type.Integer({ minimum: 0 }),
  /** A planned silence from now, at most a minute; 0 for none. */
  silentForMs: Type.Number({ minimum: 0, maximum: 60_000 }),
  reports: Type.Array(unitReportSchema, { maxItems: maxStatesPerPulse }),
})
export type Pulse = Type.Static<typeof pulseSchema>
export const checkPulse = checker(pulseSchema)

/** A pulse as a voter passes it on. */
const relayedSchema = Type.Object({
  machine: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  /** Since this voter heard it. */
  ageMs: Type.Number({ minimum: 0 }),
  pulse: pulseSchema,
})
export type RelayedPulse = Type.Static<typeof relayedSchema>
export const checkRelay = checker(
  Type.Object({ pulses: Type.Array(relayedSchema, { maxItems: maxPulsesPerRelay }) }),
)

/**
 * `ok`: a quorum of voters followed the leader after the pulse was heard, and the machine's
 * record says ready. `register`: the record says lost, or there is none: register again.
 */
export type Verdict = 'ok' | 'register'

export interface PulseAnswer {
  readonly term: number
  readonly verdict: Verdict
}

export interface RelayAnswer {
  readonly term: number
  readonly verdicts: readonly Verdict[]
}
