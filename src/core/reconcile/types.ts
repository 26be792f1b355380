/** What should run on a machine, what its engine runs, and what is to be done about it. */
import type { Generation, UnitName } from '../../base/ids.ts'

export type RestartPolicy =
  'no' | 'always' | 'on-success' | 'on-failure' | 'on-abnormal' | 'on-abort'

/** How a container is stopped: a signal, then SIGKILL after the grace. */
export interface StopRule {
  /** Undefined: the container's own stop signal. */
  readonly signal: string | undefined
  /** Undefined: wait for ever. */
  readonly graceMs: number | undefined
}

/** What of a unit's file decides when its container starts, and starts again. */
export interface UnitRules {
  readonly restart: RestartPolicy
  readonly restartDelayMs: number
  /** Failures in a row after which another machine should try; a run of `steadyMs` ends the row. */
  readonly startLimit: { readonly burst: number; readonly steadyMs: number }
  /** An exit with an error counts as done, not as failed. */
  readonly ignoreFailure: boolean
  readonly after: readonly string[]
  readonly requires: readonly string[]
  readonly bindsTo: readonly string[]
}

/** One unit that is placed on this machine. */
export interface DesiredUnit {
  readonly name: UnitName
  readonly generation: Generation
  readonly hash: string
  readonly desired: 'loaded' | 'launched'
  /** It is to stop for good: its placement goes once it has. Never taken back. */
  readonly isLeaving?: boolean
  readonly plan:
    | { readonly kind: 'ready'; readonly rules: UnitRules }
    /** Its file has not been read yet: nothing is started, and nothing is said. */
    | { readonly kind: 'reading' }
    | {
        readonly kind: 'refused'
        readonly load: 'not-found' | 'error'
        readonly message: string
      }
}

/** A container as the engine tells of it (`ports/ContainerFacts` is one). */
export interface ObservedContainer {
  readonly id: string
  readonly imageDigest: string
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'
  readonly exitCode: number | undefined
  /** On the engine's wall clock, as the next one. */
  readonly startedAtMs: number | undefined
  readonly finishedAtMs: number | undefined
}

/** What the agent is doing about a unit at this moment: one thing at a time. */
export type Work =
  | {
      readonly kind: 'start'
      readonly hash: string
      readonly phase: 'preparing' | 'pulling' | 'starting'
      /** For people: how far a pull has come. */
      readonly message: string
    }
  | { readonly kind: 'clear' }

/** How a unit's last run, or its attempt to start, came to its end. */
export type UnitEnd =
  | { readonly kind: 'exited'; readonly containerId: string; readonly exitCode: number }
  /** Its container was removed by somebody else. */
  | { readonly kind: 'vanished'; readonly containerId: string }
  | ({ readonly kind: 'start-failed' } & StartFailure)

export interface StartFailure {
  readonly timedOut: boolean
  /** Its image did not come. */
  readonly ofImage: boolean
  readonly message: string
}

/** What is remembered of a unit from one look to the next. */
export interface UnitMemory {
  /** The placement that this is about. */
  readonly generation: Generation
  readonly hash: string
  /** The highest generation seen of this unit. Invariant: >= `generation`. */
  readonly highestGeneration: Generation
  /** Starts after the first. */
  readonly restarts: number
  /** Ends in a row that came soon after their start: the backoff's exponent. */
  readonly quickEnds: number
  /** Failures in a row, none of them after a long run. */
  readonly failures: number
  /** The container that was last seen running, and since when (the caller's monotonic clock). */
  readonly running: { readonly containerId: string; readonly sinceMs: number } | undefined
  /** Undefined while it runs, and before its first start. */
  readonly end: { readonly how: UnitEnd; readonly atMs: number } | undefined
  /** Whether what this content is started from is here; asked while an older content runs. */
  readonly fetch:
    'unknown' | 'done' | { readonly message: string; readonly tries: number; readonly atMs: number }
  /** Containers that were to be cleared away: whatever becomes of them is no run's end. */
  readonly condemned: readonly string[]
}

export type Action =
  /** Removes the leftovers, then prepares, creates and starts a container. */
  | {
      readonly kind: 'start'
      readonly unit: UnitName
      readonly generation: Generation
      readonly hash: string
      readonly restarts: number
      readonly leftovers: readonly string[]
    }
  /** Gets what a start pulls, while an older content of the unit runs. */
  | { readonly kind: 'fetch'; readonly unit: UnitName; readonly hash: string }
  /** Stops what runs, each by its own rule, and removes it. */
  | { readonly kind: 'clear'; readonly unit: UnitName; readonly containers: readonly Cleared[] }
  /** The start or the fetch that is under way is no longer wanted. */
  | { readonly kind: 'cancel'; readonly unit: UnitName }

export interface Cleared {
  readonly id: string
  readonly running: boolean
  readonly stop: StopRule
}

/** A unit in systemd's words. */
export interface UnitCondition {
  readonly load: 'loaded' | 'not-found' | 'error'
  readonly active: 'active' | 'activating' | 'deactivating' | 'inactive' | 'failed' | 'unknown'
  readonly sub: string
  /** Empty when there is no container. */
  readonly containerId: string
  readonly image: string
  readonly imageDigest: string
  readonly restarts: number
  /** Why it is not running, for people. */
  readonly message: string
  /** Present where another machine should try. */
  readonly crashLoop?: 'run' | 'image'
  /** It is leaving, and there is nothing left of it here that runs or will. */
  readonly released?: true
}

export interface ReconcileInput {
  readonly clusterId: string
  /** Another one on a container means that the machine has been restarted since. */
  readonly bootId: string
  readonly nowMs: number
  readonly desired: readonly DesiredUnit[]
  /** Undefined: the engine does not answer, and nothing is known of what runs. */
  readonly containers: readonly ObservedContainer[] | undefined
  readonly memory: ReadonlyMap<UnitName, UnitMemory>
  readonly work: ReadonlyMap<UnitName, Work>
  /** Containers that the machine's fencer has stopped, or is about to: their ends are no ends of a run. */
  readonly fenced?: ReadonlySet<string>
}

export interface ReconcileResult {
  readonly actions: readonly Action[]
  readonly memory: ReadonlyMap<UnitName, UnitMemory>
  /** Every unit that is placed here (but those still being read) or has a container here. */
  readonly conditions: ReadonlyMap<UnitName, UnitCondition>
  /** Ids of containers that are not this cluster's, or not labelled as we do: left alone. */
  readonly foreign: readonly string[]
  /** When time alone will change the answer. */
  readonly nextLookMs: number | undefined
}
