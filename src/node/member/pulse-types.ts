/** What pulses carry, between agents, voters and the leader. */
import * as Type from 'typebox'
import { unitStateSchema } from '../../core/records/schemas.ts'
import { maxPulsingMachines, type PulseWord } from '../../core/liveness/pulse-table.ts'
import { checker } from './wire-schemas.ts'

/** More states than this wait for the next pulse. */
export const maxStatesPerPulse = 256
const maxPulsesPerRelay = 4096
/** Planned silences are at most this long (ARCHITECTURE 7). */
export const silentForMsMax = 60_000

const unitReportSchema = Type.Union([
  Type.Object({ kind: Type.Literal('state'), state: unitStateSchema }),
  /** The unit is neither placed here nor has it a container here any more. */
  Type.Object({ kind: Type.Literal('gone'), unit: Type.String({ maxLength: 1024 }) }),
])
export type UnitReport = Type.Static<typeof unitReportSchema>

const placeFields = {
  /** The agent's process, by a name drawn when it began. */
  run: Type.String({ minLength: 1, maxLength: 64 }),
  /** Grows with each pulse of that process: 1 is the first. */
  sequence: Type.Integer({ minimum: 1 }),
}

const pulseSchema = Type.Object({
  /** Agents that do not number their pulses yet leave it out. */
  place: Type.Optional(Type.Object(placeFields)),
  bootId: Type.String({ maxLength: 128 }),
  /** The Raft member on this machine, 0 when there is none: a wiped machine says so here. */
  memberId: Type.Integer({ minimum: 0 }),
  /** A planned silence from now, at most a minute; 0 for none. */
  silentForMs: Type.Number({ minimum: 0, maximum: silentForMsMax }),
  /** The agent ends now, and on purpose. Older ones say so by `silentForMs` alone. */
  ends: Type.Optional(Type.Literal(true)),
  reports: Type.Array(unitReportSchema, { maxItems: maxStatesPerPulse }),
})
export type Pulse = Type.Static<typeof pulseSchema>
export const checkPulse = checker(pulseSchema)

/** What a pulse says that may be taken back, on the clock of who heard it then. */
export const wordOf = ({ place, silentForMs }: Pulse, heardAtMs: number): PulseWord => ({
  place,
  silentUntilMs: silentForMs > 0 ? heardAtMs + silentForMs : 0,
})

/** A pulse as a voter passes it on. */
const relayedSchema = Type.Object({
  machine: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  /** Since this voter heard it. */
  ageMs: Type.Number({ minimum: 0 }),
  pulse: pulseSchema,
})
export type RelayedPulse = Type.Static<typeof relayedSchema>

/** What a voter tells a new leader of the machines it has heard. */
const tableSchema = Type.Object({
  ages: Type.Array(
    Type.Object({
      machine: Type.String({ pattern: '^[0-9a-f]{32}$' }),
      ageMs: Type.Number({ minimum: 0 }),
      /** Voters that do not keep them leave these out. */
      silentForMs: Type.Optional(Type.Number({ minimum: 0, maximum: silentForMsMax })),
      last: Type.Optional(Type.Object({ ...placeFields, ageMs: Type.Number({ minimum: 0 }) })),
    }),
    { maxItems: maxPulsingMachines },
  ),
})
export const checkTable = checker(tableSchema)

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
