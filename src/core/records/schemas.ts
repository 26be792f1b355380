/** The shape of every record. A field is added, never given another meaning. */
import * as Type from 'typebox'

const version = Type.Literal(1)
const text = Type.String({ maxLength: 1024 })
const timeMs = Type.Number({ minimum: 0 })
const count = Type.Integer({ minimum: 0 })
const hexId = Type.String({ pattern: '^[0-9a-f]{32}$' })
const keyHash = Type.String({ pattern: '^[0-9a-f]{64}$' })
const mac = Type.String({ pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$' })
const labels = Type.Record(Type.String({ maxLength: 256 }), Type.String({ maxLength: 1024 }))

const labelOverrides = Type.Record(
  Type.String({ maxLength: 256 }),
  Type.Union([Type.String({ maxLength: 1024 }), Type.Null()]),
)

/** `/jangada/machines/ID`. Written when a machine registers, is lost, returns or is changed. */
export const machineSchema = Type.Object({
  v: version,
  id: hexId,
  name: text,
  /** IPv4 address on which the other machines reach its doors. */
  address: text,
  /** Its IPv4 addresses on links that blank machines boot from; absent when it has none. */
  bootAddresses: Type.Optional(Type.Array(text, { maxItems: 16 })),
  /** SHA-256 of its key's SPKI: its identity on the wire. */
  keyHash,
  /** What rules match: what the machine says of itself, with `overrides` over it. */
  metadata: labels,
  /** Labels that people have set or, with null, taken away; they outlive restarts. */
  overrides: Type.Optional(labelOverrides),
  status: Type.Union([Type.Literal('ready'), Type.Literal('lost'), Type.Literal('left')]),
  statusSinceMs: timeMs,
  /** It has left, and its agent is not heard: nobody tells what becomes of what is there. */
  silent: Type.Optional(Type.Literal(true)),
  /**
   * Its units are to go elsewhere, and none is to come. From the deadline on they go whether or not
   * their replacements run.
   */
  drain: Type.Optional(Type.Object({ sinceMs: timeMs, deadlineMs: Type.Optional(timeMs) })),
  /** Told by the kernel; another one means that the machine has been restarted. */
  bootId: text,
  cpus: count,
  memoryBytes: count,
  /** The most that it may become. */
  roleCeiling: Type.Union([Type.Literal('client'), Type.Literal('voter')]),
  /** Its state directory survives a restart. */
  durable: Type.Boolean(),
  version: text,
  /** The highest feature level that its binary knows; absent is the first. */
  featureLevel: Type.Optional(count),
  liveRestore: Type.Boolean(),
})
export type MachineRecord = Type.Static<typeof machineSchema>

/** `/jangada/labels/ID`: `overrides` for a machine that has not registered yet. */
export const labelsSchema = Type.Object({
  v: version,
  machineId: hexId,
  overrides: labelOverrides,
  setMs: timeMs,
})
export type LabelsRecord = Type.Static<typeof labelsSchema>

/** A machine's own labels with those of people over them. */
export function withOverrides(
  own: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged = new Map(Object.entries(own))
  for (const [name, value] of Object.entries(overrides)) {
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

/** `/jangada/units/NAME`. Immutable but for `desired`. */
export const unitSchema = Type.Object({
  v: version,
  name: text,
  /** The unit file as it was submitted. */
  file: Type.String({ maxLength: 262_144 }),
  /** SHA-1 over the options as fleet writes them out, hex. */
  hash: text,
  desired: Type.Union([Type.Literal('inactive'), Type.Literal('loaded'), Type.Literal('launched')]),
  submittedMs: timeMs,
})
export type UnitRecord = Type.Static<typeof unitSchema>
export type DesiredState = UnitRecord['desired']

/** What a unit reserves; see `base/room.ts`. */
const needs = Type.Object({
  memoryBytes: Type.Number({ minimum: 0 }),
  nanoCpus: Type.Number({ minimum: 0 }),
  ports: Type.Array(Type.Object({ port: text, ip: text }), { maxItems: 65_536 }),
})

/**
 * `/jangada/placements/MACHINE/UNIT`: this unit is to be on this machine. The placement's
 * generation is its key's create revision: it grows with every placement, needs no counter, and
 * no two placements ever share one.
 */
export const placementSchema = Type.Object({
  v: version,
  unit: text,
  machine: hexId,
  desired: Type.Union([Type.Literal('loaded'), Type.Literal('launched')]),
  /** The hash of the unit that was placed. */
  hash: text,
  placedMs: timeMs,
  /** People want it elsewhere, its replacement first; where none is found until then, it stays. */
  moving: Type.Optional(Type.Object({ untilMs: timeMs })),
  /** It must never run twice. */
  fence: Type.Optional(
    Type.Object({
      /** Of a stop by its fencer. */
      graceMs: count,
      /** It is to stop for good under this placement, which goes once its agent says that it has. */
      leaving: Type.Optional(Type.Literal(true)),
      /**
       * Its file came to say so, or to give less time, while it was placed here: the fencer holds to that only
       * once its agent says that it has this content.
       */
      changed: Type.Optional(Type.Literal(true)),
    }),
  ),
  /** What it holds there until it is gone, when it is not placed there any more; absent is nothing. */
  needs: Type.Optional(needs),
})
export type PlacementRecord = Type.Static<typeof placementSchema>

/**
 * `/jangada/leaving/MACHINE/UNIT`: the unit was taken off this machine and holds what it has there until
 * the machine's agent says that nothing of it is left. Written in the transaction that takes it off.
 */
export const leavingSchema = Type.Object({
  v: version,
  unit: text,
  machine: hexId,
  needs,
  sinceMs: timeMs,
})
export type LeavingRecord = Type.Static<typeof leavingSchema>

/**
 * `/jangada/volumes/NAME/MACHINE`: a unit that uses this volume has been placed on this machine, whose
 * engine has made it or had it. Written in the transaction that places the unit, and deleted by people
 * alone: units that use it go nowhere else.
 */
export const volumeSchema = Type.Object({
  v: version,
  name: text,
  machine: hexId,
  driver: text,
  /** The first that was placed there. */
  unit: text,
  sinceMs: timeMs,
})
export type VolumeRecord = Type.Static<typeof volumeSchema>

/** `/jangada/states/MACHINE/UNIT`: what the machine's agent last saw of the unit. */
export const unitStateSchema = Type.Object({
  v: version,
  unit: text,
  machine: hexId,
  generation: count,
  hash: text,
  load: Type.Union([Type.Literal('loaded'), Type.Literal('not-found'), Type.Literal('error')]),
  active: Type.Union([
    Type.Literal('active'),
    Type.Literal('activating'),
    Type.Literal('deactivating'),
    Type.Literal('inactive'),
    Type.Literal('failed'),
    Type.Literal('unknown'),
  ]),
  /** systemd's words and, while it prepares, `pulling` and `waiting`. */
  sub: text,
  containerId: text,
  image: text,
  imageDigest: text,
  restarts: count,
  sinceMs: timeMs,
  /** Why it is not running, for people; empty when there is nothing to say. */
  message: text,
  /**
   * It has failed so often in a row that another machine should try: by what it ran, or because its
   * image does not come.
   */
  crashLoop: Type.Optional(Type.Union([Type.Literal('run'), Type.Literal('image')])),
  /** The placement of this generation is leaving, and nothing of it runs here any more, nor will. */
  released: Type.Optional(Type.Literal(true)),
})
export type UnitStateRecord = Type.Static<typeof unitStateSchema>

/** `/jangada/crashes/NAME`: where a unit was in a crash loop of late, and when it is tried again. */
export const crashSchema = Type.Object({
  v: version,
  unit: text,
  /** Of the unit that failed: another content is another story. */
  hash: text,
  /** Oldest first; at most one a placement. */
  failures: Type.Array(Type.Object({ machine: hexId, atMs: timeMs }), { maxItems: 64 }),
  /** Not placed again before. */
  untilMs: timeMs,
  /** Given up until people act. */
  parked: Type.Boolean(),
  /** What its last machine said. */
  message: text,
})
export type CrashRecord = Type.Static<typeof crashSchema>

/** `/jangada/bindings/by-machine/MAC` and `/jangada/bindings/by-address/ADDRESS`: one pair. */
export const bindingSchema = Type.Object({
  v: version,
  mac,
  address: text,
  /** SMBIOS UUID as the client told it, or empty. */
  uuid: text,
  link: text,
  boundMs: timeMs,
})
export type BindingRecord = Type.Static<typeof bindingSchema>

/** `/jangada/admissions/MACHINE`: how a machine came, or waits, to be trusted. */
export const admissionSchema = Type.Object({
  v: version,
  machineId: hexId,
  state: Type.Union([
    Type.Literal('pending'),
    Type.Literal('approved'),
    Type.Literal('member'),
    Type.Literal('refused'),
  ]),
  /** The key that asks, or that was admitted. */
  keyHash,
  /** That key's SubjectPublicKeyInfo, base64: what the cluster's secrets are sealed to. */
  publicKey: text,
  /**
   * Another key that asks for this machine's place and waits for an operator. Until then the
   * admitted key stays listed: a machine with a disk that was booted from the network by mistake
   * is not locked out by its own other self.
   */
  asking: Type.Optional(
    Type.Object({ keyHash, publicKey: text, name: text, address: text, askedMs: timeMs }),
  ),
  name: text,
  macs: Type.Array(mac, { maxItems: 64 }),
  uuid: text,
  address: text,
  /** How it proved itself: a join token's id, or a boot nonce. */
  by: Type.Union([Type.Literal('token'), Type.Literal('nonce'), Type.Literal('init')]),
  tokenId: text,
  roleCeiling: Type.Union([Type.Literal('client'), Type.Literal('voter')]),
  /** An approval holds for the machine's later boots too. */
  sticky: Type.Boolean(),
  askedMs: timeMs,
  decidedMs: timeMs,
})
export type AdmissionRecord = Type.Static<typeof admissionSchema>

/** `/jangada/tokens/ID`. The secret itself is never stored. */
export const tokenSchema = Type.Object({
  v: version,
  id: text,
  /** SHA-256 of the secret, hex. */
  secretHash: keyHash,
  scope: Type.Union([
    Type.Literal('machine'),
    Type.Literal('read'),
    Type.Literal('deploy'),
    Type.Literal('admin'),
  ]),
  roleCeiling: Type.Union([Type.Literal('client'), Type.Literal('voter')]),
  usesLeft: count,
  expiresMs: timeMs,
  createdMs: timeMs,
})
export type TokenRecord = Type.Static<typeof tokenSchema>

/** `/jangada/nonces/HASH`: a boot nonce that was redeemed, and by which key. */
export const nonceSchema = Type.Object({
  v: version,
  keyHash,
  machineId: hexId,
  redeemedMs: timeMs,
  expiresMs: timeMs,
})
export type NonceRecord = Type.Static<typeof nonceSchema>

/** `/jangada/members/MEMBER`: the machine and data directory behind a Raft member id. */
export const memberSchema = Type.Object({
  v: version,
  memberId: Type.Integer({ minimum: 1 }),
  machineId: hexId,
  /** Host and port of its peer door. */
  address: text,
  /** Random, minted with the data directory. */
  incarnation: text,
  addedMs: timeMs,
})
export type MemberRecord = Type.Static<typeof memberSchema>

/** `/jangada/voting/MACHINE`: what people want of its vote. Without one the cluster chooses. */
export const votingSchema = Type.Object({
  v: version,
  machineId: hexId,
  wish: Type.Union([Type.Literal('voter'), Type.Literal('client')]),
  setMs: timeMs,
})
export type VotingRecord = Type.Static<typeof votingSchema>

/** `/jangada/trust/authority`. */
export const authoritySchema = Type.Object({
  v: version,
  certificatePem: Type.String({ maxLength: 16_384 }),
  createdMs: timeMs,
})
export type AuthorityRecord = Type.Static<typeof authoritySchema>

/** `/jangada/trust/sealed/NAME/MACHINE`: a cluster secret sealed to one voter's key, base64. */
export const sealedSchema = Type.Object({
  v: version,
  name: Type.Union([Type.Literal('authority-key'), Type.Literal('boot-key')]),
  machineId: hexId,
  keyHash,
  sealed: Type.String({ maxLength: 16_384 }),
})
export type SealedRecord = Type.Static<typeof sealedSchema>

/** `/jangada/events/TIME-RANDOM`: what happened, for people. Trimmed by range. */
export const eventSchema = Type.Object({
  v: version,
  atMs: timeMs,
  kind: text,
  severity: Type.Union([Type.Literal('info'), Type.Literal('warning'), Type.Literal('alarm')]),
  message: Type.String({ maxLength: 4096 }),
  code: text,
  machine: text,
  unit: text,
})
export type EventRecord = Type.Static<typeof eventSchema>

/** `/jangada/settings/cluster`. */
export const clusterSettingsSchema = Type.Object({
  v: version,
  clusterId: hexId,
  createdMs: timeMs,
  featureLevel: count,
  /** How many voters to hold, as far as there are machines for them. */
  voters: Type.Union([Type.Literal(1), Type.Literal(3), Type.Literal(5), Type.Literal(7)]),
  /** Machines without a disk may vote too: what a majority of them loses together is lost. */
  volatileVoters: Type.Optional(Type.Boolean()),
  /** What becomes of a machine that redeems a boot nonce. */
  admission: Type.Union([Type.Literal('sticky'), Type.Literal('approve'), Type.Literal('auto')]),
  /** What `/status` tells without a credential. */
  status: Type.Union([Type.Literal('full'), Type.Literal('counts'), Type.Literal('off')]),
  /** How fast units start elsewhere when many machines are lost at once. */
  replacementsPerSecond: Type.Optional(Type.Number({ minimum: 0.1, maximum: 10_000 })),
  /** Of a machine's disk: in use beyond this, images that no unit needs go until the floor. */
  imageCollectionCeilingPercent: Type.Optional(
    Type.Union([Type.Literal('off'), Type.Integer({ minimum: 1, maximum: 99 })]),
  ),
  imageCollectionFloorPercent: Type.Optional(Type.Integer({ minimum: 0, maximum: 98 })),
})
export type ClusterSettingsRecord = Type.Static<typeof clusterSettingsSchema>

/** `/jangada/quota/limit`: how much the store's live keys may take. Without one: the default. */
export const quotaLimitSchema = Type.Object({ v: version, bytes: count, setMs: timeMs })
export type QuotaLimitRecord = Type.Static<typeof quotaLimitSchema>

/** `/jangada/quota/alarm`: there while the store is full, with what was used when it began. */
export const quotaAlarmSchema = Type.Object({
  v: version,
  sinceMs: timeMs,
  usedBytes: count,
  quotaBytes: count,
  reserveBytes: count,
})
export type QuotaAlarmRecord = Type.Static<typeof quotaAlarmSchema>

/** `/jangada/images/NAME`: a system image that machines can boot. */
export const imageSchema = Type.Object({
  v: version,
  name: text,
  importedMs: timeMs,
  kernelVersion: text,
  files: Type.Array(Type.Object({ name: text, sha256: keyHash, bytes: count }), { maxItems: 32 }),
  /** Machines that have all its files. */
  holders: Type.Array(hexId, { maxItems: 64 }),
})
export type ImageRecord = Type.Static<typeof imageSchema>
