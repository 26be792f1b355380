/** The whole keyspace of the system, in one list. Everything else belongs to users. */
import { generation, type Generation } from '../../base/ids.ts'
import { recordKind, type Stored } from './record.ts'
import * as schemas from './schemas.ts'

export const systemPrefix = '/jangada/'

const under = <S extends Parameters<typeof recordKind>[1], Parts extends readonly string[]>(
  name: string,
  schema: S,
) => recordKind<S, Parts>(`${systemPrefix}${name}/`, schema)

export const machines = under<typeof schemas.machineSchema, [machineId: string]>(
  'machines',
  schemas.machineSchema,
)
export const labels = under<typeof schemas.labelsSchema, [machineId: string]>(
  'labels',
  schemas.labelsSchema,
)
export const units = under<typeof schemas.unitSchema, [name: string]>('units', schemas.unitSchema)
export const placements = under<typeof schemas.placementSchema, [machineId: string, unit: string]>(
  'placements',
  schemas.placementSchema,
)
export const leaving = under<typeof schemas.leavingSchema, [machineId: string, unit: string]>(
  'leaving',
  schemas.leavingSchema,
)
export const volumes = under<typeof schemas.volumeSchema, [name: string, machineId: string]>(
  'volumes',
  schemas.volumeSchema,
)
export const states = under<typeof schemas.unitStateSchema, [machineId: string, unit: string]>(
  'states',
  schemas.unitStateSchema,
)
export const crashes = under<typeof schemas.crashSchema, [unit: string]>(
  'crashes',
  schemas.crashSchema,
)
export const bindingsByMachine = under<typeof schemas.bindingSchema, [mac: string]>(
  'bindings/by-machine',
  schemas.bindingSchema,
)
export const bindingsByAddress = under<typeof schemas.bindingSchema, [address: string]>(
  'bindings/by-address',
  schemas.bindingSchema,
)
export const admissions = under<typeof schemas.admissionSchema, [machineId: string]>(
  'admissions',
  schemas.admissionSchema,
)
export const tokens = under<typeof schemas.tokenSchema, [id: string]>('tokens', schemas.tokenSchema)
export const nonces = under<typeof schemas.nonceSchema, [hash: string]>(
  'nonces',
  schemas.nonceSchema,
)
export const members = under<typeof schemas.memberSchema, [memberId: string]>(
  'members',
  schemas.memberSchema,
)
export const voting = under<typeof schemas.votingSchema, [machineId: string]>(
  'voting',
  schemas.votingSchema,
)
export const authority = under<typeof schemas.authoritySchema, [name: 'authority']>(
  'trust',
  schemas.authoritySchema,
)
export const sealed = under<typeof schemas.sealedSchema, [name: string, machineId: string]>(
  'trust/sealed',
  schemas.sealedSchema,
)
export const events = under<typeof schemas.eventSchema, [timeAndRandom: string]>(
  'events',
  schemas.eventSchema,
)
export const clusterSettings = under<typeof schemas.clusterSettingsSchema, [name: 'cluster']>(
  'settings',
  schemas.clusterSettingsSchema,
)
export const quotaLimit = under<typeof schemas.quotaLimitSchema, [name: 'limit']>(
  'quota',
  schemas.quotaLimitSchema,
)
export const quotaAlarm = under<typeof schemas.quotaAlarmSchema, [name: 'alarm']>(
  'quota',
  schemas.quotaAlarmSchema,
)
export const images = under<typeof schemas.imageSchema, [name: string]>(
  'images',
  schemas.imageSchema,
)

/** A placement's generation is the revision that created its key (see `placementSchema`). */
export const generationOf = (placement: Stored<schemas.PlacementRecord>): Generation =>
  generation(placement.createRevision)

/** Sorts by time; 48 bits of randomness keep two events of one millisecond apart. */
export const eventKey = (atMs: number, randomHex: string): string =>
  `${Math.floor(atMs).toString().padStart(15, '0')}-${randomHex}`
