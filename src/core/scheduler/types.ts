/** What the scheduler sees and says. Plain data: the caller reads it from the store. */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { Capacity, Needs } from '../../base/room.ts'
import type { Crashes } from './crash-loop.ts'

export interface SchedulerMachine {
  readonly id: MachineId
  readonly metadata: Readonly<Record<string, string>>
  /** `lost`: nothing is placed there, and what can run elsewhere is moved. */
  readonly status: 'ready' | 'lost'
  /**
   * `replacing`: nothing comes, and what is there goes once its replacement runs elsewhere; `now`:
   * it goes at once. Global units stay.
   */
  readonly drain: 'none' | 'replacing' | 'now'
  readonly capacity: Capacity
  /** Its release has no fencer: it takes no unit that must never run twice. */
  readonly cannotFence?: true
}

/** The part of `[X-Fleet]` that decides; see `core/units`, whose rules have this shape. */
export interface SchedulerRules {
  /** Of the one machine that may run it: whole, or its short form. */
  readonly machineId: string | undefined
  readonly global: boolean
  readonly machineOf: readonly string[]
  readonly conflicts: readonly string[]
  readonly replaces: readonly string[]
  readonly metadata: Readonly<Record<string, readonly string[]>>
  /** Labels over whose values the instances of one template are spread. */
  readonly spread: readonly string[]
  /** Labels that a machine had better have, or not have. */
  readonly prefer: readonly {
    readonly key: string
    readonly value: string
    /** -100 to 100. */
    readonly weight: number
  }[]
  /** The emptiest of the machines that are equal otherwise, or the fullest. */
  readonly strategy: 'spread' | 'pack'
  /** 0 to 100: who is placed first, and who yields where there is no room. */
  readonly priority: number
  /** `stop`: it never runs twice, whatever becomes of its machine. */
  readonly fencing: 'keep' | 'stop'
  readonly fencingGraceMs: number
  /** So many of its kind are to be available when one leaves without need. */
  readonly minAvailable: number
}

/** A unit that is to be placed (loaded or launched), or was and is not any more. */
export interface SchedulerUnit {
  readonly name: UnitName
  readonly wanted: boolean
  readonly rules: SchedulerRules
  readonly needs: Needs
  /** It was in a crash loop of late. */
  readonly crashes?: Crashes
}

/** A placement of a unit whose file is another one now. */
export interface RenewedPlace {
  readonly unit: UnitName
  readonly machine: MachineId
  /** As `SchedulerPlacement.renewedFrom`. */
  readonly before: Needs
}

export interface SchedulerPlacement {
  readonly unit: UnitName
  readonly machine: MachineId
  /**
   * Whether it does its work there by now. Asked of units alone that are on several machines, and of
   * kinds with `minAvailable` while something is to move.
   */
  readonly runs?: boolean
  /** It is to go elsewhere, its replacement first, though its machine does not drain. */
  readonly moves?: boolean
  /**
   * What it was placed with, where that was an older file: what the new one asks for beyond it is asked of the
   * machine as of a newcomer. Undefined: the file is the same.
   */
  readonly renewedFrom?: Needs
  /** Of a unit that must never run twice; see `old-copies.ts`. */
  readonly fence?: {
    /** It was told to stop there for good: it counts no more, but for its copy that may run. */
    readonly isLeaving: boolean
    /** No copy of it runs there any more, and none will. */
    readonly isOver: boolean
  }
}

/** A unit that was taken off a machine, where its container holds what it has until it is gone. */
export interface SchedulerLeaving {
  readonly unit: UnitName
  readonly machine: MachineId
  readonly needs: Needs
}

/** Where a volume is. One that is nowhere yet is made where the first unit goes that uses it. */
export interface SchedulerVolume {
  readonly name: string
  readonly machine: MachineId
}

/** Templates are not in `units`: they never run. Placements of unknown units are taken away. */
export interface Snapshot {
  readonly machines: readonly SchedulerMachine[]
  readonly units: readonly SchedulerUnit[]
  readonly placements: readonly SchedulerPlacement[]
  /** So many units of lost machines may move now; absent: all. Higher priorities come first. */
  readonly movesMax?: number
  /** Of units that are not placed there (again). */
  readonly leaving?: readonly SchedulerLeaving[]
  readonly volumes?: readonly SchedulerVolume[]
}

/** Why a machine may not run a unit. */
export type Obstacle =
  | { readonly kind: 'machineLost' }
  | { readonly kind: 'draining' }
  | { readonly kind: 'noFencer' }
  /** It must not run twice, and its copy there is not surely dead. */
  | { readonly kind: 'oldCopy'; readonly where: MachineId }
  | { readonly kind: 'otherMachine'; readonly wanted: string }
  | {
      readonly kind: 'metadata'
      readonly key: string
      readonly wanted: readonly string[]
      readonly has: string | undefined
    }
  | {
      readonly kind: 'peerElsewhere'
      readonly peer: string
      readonly where: MachineId | undefined
    }
  | {
      readonly kind: 'conflict'
      readonly with: UnitName
      readonly pattern: string
      /** Whose pattern it is. */
      readonly by: 'self' | 'other'
    }
  /** A unit there has replaced this one and would do so again. */
  | { readonly kind: 'replaced'; readonly by: UnitName; readonly pattern: string }
  /** It failed again and again: on any machine, it waits, or is given up. */
  | { readonly kind: 'crashPause' | 'parked' }
  /** Its machine is lost with many others, and the replacements of others come first: see `movesMax`. */
  | { readonly kind: 'braked' }
  /** Elsewhere it would be an empty one. */
  | { readonly kind: 'volume'; readonly volume: string; readonly where: MachineId }
  /** `stopping`: its holder leaves, and is not gone yet. */
  | {
      readonly kind: 'port'
      readonly port: string
      readonly by: UnitName
      readonly stopping: boolean
    }
  | {
      readonly kind: 'memoryBytes' | 'nanoCpus'
      readonly wanted: number
      /** Of what may be reserved there. */
      readonly free: number
      /** More of it comes free once what is being stopped there is gone. */
      readonly stopping: number
    }

export type ObstacleKind = Obstacle['kind']

export type UnplaceReason =
  | { readonly kind: 'notWanted' }
  | { readonly kind: 'machineGone' }
  /** It was told to stop there, and has. */
  | { readonly kind: 'stopped' }
  /** It is on another machine as well, which keeps it. */
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'obstacle'; readonly obstacle: Obstacle }
  /** Its machine drains, and it runs elsewhere or its time is up. */
  | { readonly kind: 'drained' }
  /** It was to move, and runs elsewhere. */
  | { readonly kind: 'moved' }
  /** A unit of higher priority needs its room. */
  | { readonly kind: 'preempted'; readonly by: UnitName }

/** To be committed in this order: every prefix of a plan keeps the hard rules. */
export type Decision =
  | { readonly kind: 'place'; readonly unit: UnitName; readonly machine: MachineId }
  /** In one transaction: the machine it leaves is lost. */
  | {
      readonly kind: 'move'
      readonly unit: UnitName
      /** Lost. */
      readonly from: MachineId
      readonly machine: MachineId
      /**
       * Its old placement stays until it runs at the new place: its machine may come back before that, with
       * its container well. It goes at once where the old copy is surely dead.
       */
      readonly stays: boolean
    }
  /** Of a unit that must never run twice: it is stopped there first, and has no place until it is. */
  | {
      readonly kind: 'release'
      readonly unit: UnitName
      readonly machine: MachineId
      readonly reason: UnplaceReason
    }
  | {
      readonly kind: 'unplace'
      readonly unit: UnitName
      readonly machine: MachineId
      readonly reason: UnplaceReason
    }

/** How many machines refused a unit, for each kind of obstacle. */
export type ObstacleCounts = Readonly<Partial<Record<ObstacleKind, number>>>

export interface Plan {
  readonly decisions: readonly Decision[]
  /** The wanted units that no machine may run now. */
  readonly unplaced: ReadonlyMap<UnitName, ObstacleCounts>
  /** For one of those somebody may make room later who may not now, as too few of his kind run. */
  readonly waitsForRoom: boolean
}
