/** What a unit file says, once understood. Plain data: everything here survives JSON. */
import type { ContainerSpec } from '../../base/container-spec.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { Needs } from '../../base/room.ts'

/** One `name=value` line. A continued one has become one line, each backslash and newline a space. */
export interface UnitOption {
  readonly section: string
  readonly name: string
  readonly value: string
}

/** An option with the line it starts on (from 1); 0 when it did not come from a file. */
export interface LocatedOption extends UnitOption {
  readonly line: number
  /** A value over several lines, with its backslashes and newlines: what fleet hashes and carries. */
  readonly written?: string
}

/** Why a unit was refused, or cannot start on this machine. Line 0: no one line is to blame. */
export interface UnitProblem {
  readonly file: string
  readonly line: number
  readonly reason: string
  readonly code: Extract<
    ErrorCode,
    'JGD_UNIT_SYNTAX' | 'JGD_UNIT_UNSUPPORTED' | 'JGD_UNIT_NAME' | 'JGD_UNIT_IS_TEMPLATE'
  >
}

/**
 * A piece of a value that waits for the machine. `%m` and `%H` are the machine's; `%n`, `%N`
 * and `%i` wait only in a template; a variable comes from `Environment=` and
 * `EnvironmentFile=`. An unbraced variable that is a whole word splits at spaces, as systemd
 * has it.
 */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'specifier'; readonly letter: 'm' | 'H' | 'n' | 'N' | 'i' }
  | { readonly kind: 'variable'; readonly name: string; readonly braced: boolean }

/** One word, or one value, with its parts in order. */
export type Template = readonly Part[]

/** The words of a `docker run` line after `run`, not yet expanded. */
export interface ContainerPlan {
  readonly words: readonly Template[]
  /** From a leading `-`: a container that exits with an error counts as done, not as failed. */
  readonly ignoreFailure: boolean
  /** Where the words come from, for the problems found on the machine. */
  readonly file: string
  readonly line: number
  /** Of a `[Container]` section: which key gave each flag. */
  readonly keys?: readonly FlagOrigin[]
}

/** Problems with a flag are told of the key that gave it. */
export interface FlagOrigin {
  readonly flag: string
  readonly key: string
  readonly value: string
  readonly line: number
}

export interface EnvironmentFile {
  readonly path: Template
  /** With a leading `-`: a file that does not exist is no problem. */
  readonly optional: boolean
}

export type RestartPolicy =
  'no' | 'always' | 'on-success' | 'on-failure' | 'on-abnormal' | 'on-abort'

export type KillMode = 'control-group' | 'mixed' | 'process' | 'none'

export type PullPolicy = 'always' | 'missing' | 'never'

/**
 * An `ExecStartPre=`, `ExecStartPost=`, `ExecStop=` or `ExecStopPost=` line, understood. `kill`,
 * `rm` and `stop` name the unit's own container; the agent clears old containers away by itself,
 * so before the start these have no effect of their own.
 */
export interface Step {
  readonly phase: 'start-pre' | 'start-post' | 'stop' | 'stop-post'
  /** From the leading `-`. */
  readonly ignoreFailure: boolean
  readonly action:
    | { readonly kind: 'pull'; readonly image: Template }
    | { readonly kind: 'kill'; readonly signal: string }
    /** `graceMs` undefined: Docker's own default of 10 s. */
    | { readonly kind: 'stop'; readonly graceMs: number | undefined }
    | { readonly kind: 'remove' }
}

/** How the agent stops the unit: a signal, then SIGKILL after the grace. */
export interface StopRule {
  /** Undefined: the container's own stop signal (`--stop-signal`, the image's, or SIGTERM). */
  readonly signal: string | undefined
  /** Undefined: wait for ever (`TimeoutStopSec=infinity`). */
  readonly graceMs: number | undefined
}

/** Order and need between units. What every machine has (`docker.service`) is left out. */
export interface Dependencies {
  readonly after: readonly string[]
  readonly requires: readonly string[]
  readonly wants: readonly string[]
  readonly bindsTo: readonly string[]
}

/** The `[X-Fleet]` section. In a template the strings may still hold `%n`, `%N` and `%i`. */
export interface PlacementRules {
  /** 32 lower-case hex digits, or the first 8 of them. */
  readonly machineId: string | undefined
  readonly global: boolean
  /** Exact unit names; all must be on the same machine. */
  readonly machineOf: readonly string[]
  /** Globs as `base/glob` matches them; a conflict holds from either side. */
  readonly conflicts: readonly string[]
  /** Globs as `base/glob` matches them. */
  readonly replaces: readonly string[]
  /** Every key must match one of its values. */
  readonly metadata: Readonly<Record<string, readonly string[]>>
  /** Labels over whose values the instances of one template are spread, the first before the next. */
  readonly spread: readonly string[]
  /** Labels that a machine had better have; with a weight below 0, had better not. */
  readonly prefer: readonly {
    readonly key: string
    readonly value: string
    /** -100 to 100. */
    readonly weight: number
  }[]
  readonly strategy: 'spread' | 'pack'
  /** 0 to 100. */
  readonly priority: number
  /** `stop`: it never runs twice; where its machine is cut off, it is stopped. */
  readonly fencing: 'keep' | 'stop'
  /** From its stop signal to its kill, when it is stopped because its machine is cut off. */
  readonly fencingGraceMs: number
  /** Of the instances of its template, so many stay when one leaves without need. */
  readonly minAvailable: number
}

export interface ParsedUnitName {
  readonly name: UnitName
  /** `web` of `web.service`, `web@3.service` and `web@.service`: what `%p` gives. */
  readonly prefix: string
  readonly kind: 'plain' | 'template' | 'instance'
  /** `3` of `web@3.service`: what `%i` gives. Empty unless an instance. */
  readonly instance: string
  /** `web@.service` for an instance; undefined otherwise. */
  readonly templateName: UnitName | undefined
}

/** When a unit that fails again and again is tried on another machine. */
export interface StartLimit {
  /** So many failures in a row. Infinity: never. */
  readonly burst: number
  /** A run of this length ends the row. */
  readonly steadyMs: number
}

export interface UnitSpec extends ParsedUnitName {
  readonly description: string
  /** As written, variables not expanded: for people. The engine's is `ContainerSpec.Image`. */
  readonly image: string
  readonly container: ContainerPlan
  readonly pullPolicy: PullPolicy
  readonly restart: RestartPolicy
  /** Between the end of a container and its restart. */
  readonly restartDelayMs: number
  readonly startLimit: StartLimit
  /** Undefined: no limit. */
  readonly timeoutStartMs: number | undefined
  /** Only where the file sets the limit: an image that is slow to come is no fault of the unit's. */
  readonly timeoutCoversPulls: boolean
  /** Undefined: no limit. */
  readonly timeoutStopMs: number | undefined
  readonly killMode: KillMode
  readonly stop: StopRule
  readonly steps: readonly Step[]
  readonly dependencies: Dependencies
  /** In order; a later value of the same name wins. Files come after all of these. */
  readonly environment: readonly { readonly name: string; readonly value: Template }[]
  readonly environmentFiles: readonly EnvironmentFile[]
  readonly placement: PlacementRules
  readonly needs: Needs
}

export type ParseResult =
  | { readonly ok: true; readonly spec: UnitSpec; readonly options: readonly LocatedOption[] }
  | { readonly ok: false; readonly problems: readonly UnitProblem[] }

/** What only the machine knows. */
export interface MachineFacts {
  readonly machineId: MachineId
  readonly hostname: string
  /** Text of files by absolute path; null: the file does not exist. */
  readonly files: ReadonlyMap<string, string | null>
}

/**
 * `needs-files`: read these, add them to `files` and ask again (a file may name another through
 * a variable, so it can happen twice, never without end: each round asks for files not yet given).
 */
export type ContainerResult =
  | {
      readonly kind: 'ready'
      readonly container: ContainerSpec
      readonly pullPolicy: PullPolicy
      /** Images of `docker pull` steps, before the start, in order. */
      readonly pulls: readonly { readonly image: string; readonly ignoreFailure: boolean }[]
    }
  | { readonly kind: 'needs-files'; readonly paths: readonly string[] }
  | { readonly kind: 'problem'; readonly problems: readonly UnitProblem[] }
