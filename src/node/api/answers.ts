/** What the API answers, as types: for the handlers that build it and the clients that read it. */
import type {
  ClusterSettingsRecord,
  EventRecord,
  MachineRecord,
  TokenRecord,
  UnitRecord,
  UnitStateRecord,
} from '../../core/records/schemas.ts'
import type { Needs } from '../../base/room.ts'
import type { PlacementRules } from '../../core/units/types.ts'

/** `GET /health`. */
export interface HealthAnswer {
  readonly ok: boolean
  readonly role: string
  /** A member id; null when none is known. */
  readonly leader: number | null
  readonly hasQuorum: boolean
}

/** False, or how old the newest of what is told may be. */
export type Staleness = false | { readonly forMs: number }

export interface MemberRow {
  readonly id: number
  readonly machineId: string
  readonly name: string
  readonly address: string
  readonly role: 'voter' | 'learner'
  readonly isLeader: boolean
}

export interface MachineRow {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly status: MachineRecord['status']
  readonly metadata: Readonly<Record<string, string>>
  /** Placed there. */
  readonly units: number
}

/**
 * One unit on one machine; a unit that is nowhere has one row without a machine. What the
 * machine last said counts only while it lives and only of the placement that stands.
 */
export interface UnitRow {
  readonly name: string
  readonly desired: UnitRecord['desired']
  readonly machine: string | null
  readonly machineName: string | null
  readonly machineAddress: string | null
  /** As its machine has read the unit's file; absent while it has not told. */
  readonly load?: UnitStateRecord['load']
  readonly active: UnitStateRecord['active']
  /** systemd's words; also `pulling`, `waiting`, `unplaced`, and `lost` with its machine. */
  readonly sub: string
  readonly image?: string
  /** The image's own id: a tag may mean another image on another machine. */
  readonly imageDigest?: string
  readonly containerId?: string
  /** Since when it is as it is. */
  readonly sinceMs?: number
  readonly hash: string
  readonly restarts: number
  /** Why it does not run. What an engine said can hold parts of a command line. */
  readonly message: string
}

/** What everybody may see of a unit. */
export type PublicUnitRow = Omit<
  UnitRow,
  'message' | 'containerId' | 'sinceMs' | 'imageDigest' | 'load'
>

export interface PublicEvent {
  readonly atMs: number
  readonly kind: string
  readonly severity: EventRecord['severity']
  readonly message: string
  readonly code: string
  readonly machine: string
  readonly unit: string
}

export interface BootRow {
  readonly mac: string
  readonly steps: readonly {
    readonly atMs: number
    readonly kind: string
    readonly client?: string
    readonly file?: string
    readonly over?: string
    readonly complete?: boolean
  }[]
}

/** The same from every node at one revision, but for `node`, `stale` and `boots`. */
export interface StatusHead {
  readonly cluster: string
  readonly node: {
    readonly machineId: string
    readonly name: string
    readonly role: string
    readonly version: string
  }
  readonly leader: {
    readonly memberId: number
    readonly machineId: string | null
    readonly name: string | null
  } | null
  readonly term: number
  readonly revision: number
  readonly stale: Staleness
}

export interface StoreStatus {
  /** Null when no member says. */
  readonly usedBytes: number | null
  /** Without what is kept free for the system. */
  readonly usersBytes: number | null
  /** Since when writes are refused because it is full, or nearly; null when they are not. */
  readonly fullSinceMs: number | null
}

export interface StatusReport<Unit = UnitRow> extends StatusHead {
  readonly store: StoreStatus
  readonly members: readonly MemberRow[]
  readonly machines: readonly MachineRow[]
  readonly units: readonly Unit[]
  /** The latest, oldest first. */
  readonly events: readonly PublicEvent[]
  /** Machines that this very node has booted. */
  readonly boots: readonly BootRow[]
}

/** `/status` under the setting `status: counts`. */
export interface StatusCounts extends StatusHead {
  readonly counts: {
    readonly members: number
    readonly machines: Readonly<Record<MachineRecord['status'], number>>
    /** Rows by their active state. */
    readonly units: Readonly<Partial<Record<UnitStateRecord['active'], number>>>
  }
}

/** Every list says how fresh it is. */
export interface Listing {
  readonly revision: number
  readonly stale: Staleness
}

export interface MachineDetails extends MachineRow {
  readonly statusSinceMs: number
  readonly version: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly durable: boolean
  readonly liveRestore: boolean
  readonly roleCeiling: MachineRecord['roleCeiling']
  readonly role: 'voter' | 'learner' | 'client'
  /** What may be reserved: what it has, or what its labels `capacity.…` say instead. */
  readonly capacity: Amounts
  /** By the units that are placed there. */
  readonly reserved: Amounts
  /** Since when it drains, and until when it waits for replacements; null when it does not. */
  readonly drain: { readonly sinceMs: number; readonly deadlineMs?: number } | null
  /** Of its units those that may run elsewhere: all but the global ones. */
  readonly unitsToMove: number
}

export interface Amounts {
  readonly memoryBytes: number
  readonly cpus: number
}

export interface PendingMachine {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly macs: readonly string[]
  readonly uuid: string
  /** Of the key that asks: what the machine shows on its console. */
  readonly keyHash: string
  readonly askedMs: number
  /** It has asked with another key before and was admitted with that one. */
  readonly isReplacement: boolean
}

export interface MachinesAnswer extends Listing {
  readonly machines: readonly MachineDetails[]
}

export interface UnitsAnswer extends Listing {
  readonly units: readonly UnitRow[]
}

/** `inactive`, `loaded` or `launched`: what a unit has reached, beside what is desired. */
export interface UnitFileRow {
  readonly name: string
  readonly hash: string
  readonly desired: UnitRecord['desired']
  readonly state: UnitRecord['desired']
  readonly isTemplate: boolean
  readonly isGlobal: boolean
  readonly description: string
  readonly targets: readonly {
    readonly machine: string
    readonly name: string | null
    readonly address: string | null
  }[]
}

export interface UnitFilesAnswer extends Listing {
  readonly unitFiles: readonly UnitFileRow[]
}

export interface UnitAnswer extends Listing {
  readonly name: string
  readonly file: string
  readonly hash: string
  readonly desired: UnitRecord['desired']
  readonly submittedMs: number
  readonly isTemplate: boolean
  readonly isGlobal: boolean
  readonly summary: {
    readonly description: string
    readonly image: string
    readonly restart: string
    readonly after: readonly string[]
    readonly requires: readonly string[]
    /** What it reserves on its machine. */
    readonly needs: Needs
    /** The `[X-Fleet]` section. */
    readonly rules: PlacementRules
  } | null
  readonly states: readonly UnitRow[]
}

/** What a submit or a change of the desired state did. */
export interface UnitWritten {
  readonly name: string
  readonly desired: UnitRecord['desired']
  readonly hash: string
  readonly created: boolean
  /** It was there, and its content is another now. */
  readonly replaced: boolean
  readonly isTemplate: boolean
  readonly isGlobal: boolean
}

export interface WhyAnswer extends Listing {
  readonly unit: string
  readonly desired: UnitRecord['desired']
  readonly isPlaced: boolean
  readonly machines: readonly {
    readonly id: string
    readonly name: string
    readonly address: string
    readonly verdict: 'placed' | 'possible' | 'refused'
    readonly reason: string
    readonly units: number
  }[]
}

export interface PlanRow {
  readonly unit: string
  /**
   * `start` where it is not yet, `move`, `replace` its container by one of the new file, `stop`,
   * `stay`; `wait` while no machine may run it; `refused`, which changes nothing.
   */
  readonly change: 'start' | 'move' | 'replace' | 'stop' | 'stay' | 'wait' | 'refused'
  readonly machine: string | null
  readonly machineName: string | null
  readonly machineAddress: string | null
  /** Of a move: the name of the machine that it leaves. */
  readonly from: string | null
  readonly reason: string
}

/** What would come of it; nothing has changed. */
export interface PlanAnswer extends Listing {
  readonly rows: readonly PlanRow[]
}

export interface EventsAnswer extends Listing {
  readonly events: readonly PublicEvent[]
}

/** What people want of a machine's vote; `auto` leaves it to the cluster. */
export type VotingWish = 'auto' | 'voter' | 'client'

export interface MemberDetails extends MemberRow {
  readonly status: MachineRecord['status']
  readonly wish: VotingWish
}

export interface MembersAnswer extends Listing {
  readonly members: readonly MemberDetails[]
}

/** `POST /v1/members/MACHINE/wish`. */
export interface WishAnswer {
  readonly id: string
  readonly name: string
  readonly wish: VotingWish
  /** What it is now; the leader carries the wish out. */
  readonly role: 'voter' | 'learner' | 'client'
}

export interface QuorumRow {
  readonly id: number
  readonly name: string
  readonly role: 'voter' | 'learner'
  readonly isLeader: boolean
  /** These are null while no leader tells. */
  readonly answers: boolean | null
  readonly silentMs: number | null
  readonly behindMs: number | null
  readonly behindEntries: number | null
}

/** `GET /v1/quorum`. */
export interface QuorumAnswer extends Listing {
  /** One line for people. */
  readonly words: string
  readonly voters: number
  /** As many as asked for; the cluster holds them as far as it has machines. */
  readonly asked: number
  /** How many must agree. */
  readonly majority: number
  /** How many more may be lost; negative while writes wait, null while no leader tells. */
  readonly canLose: number | null
  readonly featureLevel: number
  /** What the leader would do and cannot yet; empty when all is as it should be. */
  readonly waiting: string
  readonly members: readonly QuorumRow[]
}

export type TokenRow = Omit<TokenRecord, 'v' | 'secretHash'>

export interface TokenCreated {
  /** Shown this once. */
  readonly token: string
  readonly id: string
  readonly expiresMs: number
}

export interface ImageRow {
  readonly name: string
  readonly version: string
  readonly kernel: string
  readonly sha256: string
  readonly bytes: number
}

export interface VersionAnswer {
  readonly version: string
  readonly cluster: string
  readonly settings: Pick<ClusterSettingsRecord, 'admission' | 'status' | 'voters'> | null
}

export interface VolumeRow {
  readonly name: string
  /** Id. */
  readonly machine: string
  readonly machineName: string | null
  readonly status: 'ready' | 'lost' | 'left'
  readonly driver: string
  /** That use it, wherever they are. */
  readonly units: readonly string[]
  readonly sinceMs: number
}

export interface VolumesAnswer extends Listing {
  readonly volumes: readonly VolumeRow[]
}
