/** What the commands need of the world; `main.ts` fills it, and tests fill it with less. */
import type { InitConfig, JoinConfig, MachineConfig, Ports, UpConfig } from '../../daemon/config.ts'
import type { ImageRow } from '../../node/api/answers.ts'
import type { HttpClient, NodeTarget } from '../../ports/http-client.ts'
import type { RecoveryPlan } from '../offline/recover.ts'
import type { RestorePlan } from '../offline/restore.ts'
import type { SnapshotReport } from '../offline/snapshot-file.ts'
import type * as rackCommands from '../rack/commands.ts'

export interface CliEnvironment {
  /** The program's, for example `0.1.0`. */
  readonly version: string
  /** Standard output and standard error; text with its newlines. */
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  /** Standard output as it is, for the output of units. Resolves when it takes more. */
  readonly stdoutBytes: (bytes: Uint8Array) => Promise<void>
  /** Someone looks at standard output. */
  readonly isTty: boolean
  readonly defaults: {
    readonly stateDirectory: string
    readonly socketPath: string
    readonly dockerSocket: string
    readonly ports: Ports
    /** From the environment: instead of `--endpoint` and `--token`. */
    readonly endpoint: string | undefined
    readonly token: string | undefined
  }
  readonly openNode: (target: NodeTarget) => HttpClient
  /** Undefined when there is no such file. */
  readonly readFile: (path: string) => Promise<string | undefined>
  /** Rejects when it cannot be read. */
  readonly openFile: (path: string) => Promise<CliFile>
  readonly monotonicMs: () => number
  readonly wallMs: () => number
  readonly sleep: (ms: number) => Promise<void>
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
  /** Ends when the signal aborts. */
  readonly up: (config: UpConfig) => Promise<void>
  readonly init: (config: InitConfig) => Promise<Initialised>
  readonly join: (
    config: JoinConfig,
    onPending: (machineId: string) => void,
  ) => Promise<{ readonly clusterId: string; readonly machineId: string }>
  /** Into the state directory, for a node that is not up yet. Rejects as `Assets.importImage`. */
  readonly importImage: (
    stateDirectory: string,
    chunks: AsyncIterable<Uint8Array>,
    sha256: string,
  ) => Promise<ImageRow>
  readonly imageBuild: (options: ImageBuildOptions) => Promise<BuiltImage>
  readonly offline: () => Promise<OfflineAccess>
  readonly rack: () => Promise<RackAccess>
}

/** What works on files, without a node. */
export interface OfflineAccess {
  /** Rejects as `saveSnapshot` of `tools/offline`. */
  readonly save: (
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    options: { readonly replace: boolean },
  ) => Promise<SnapshotReport>
  readonly verify: (path: string) => Promise<SnapshotReport>
  /** Makes a new cluster of this machine, with a saved state. Rejects as `init` and `verify`. */
  readonly restore: (path: string, config: MachineConfig) => Promise<Restored>
  readonly planRecovery: (stateDirectory: string, log?: string) => Promise<RecoveryPlan>
  readonly recover: (stateDirectory: string, log?: string) => Promise<RecoveryPlan>
}

export interface Restored extends Initialised {
  readonly from: RestorePlan['report']
  readonly leftOut: RestorePlan['leftOut']
}

export interface CliFile {
  readonly bytes: number
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface Initialised {
  readonly clusterId: string
  readonly machineId: string
  readonly adminToken: string
}

export interface ImageBuildOptions {
  readonly output: string
  readonly cacheDirectory: string | undefined
  readonly refresh: boolean
  readonly onProgress: (line: string) => void
}

export interface BuiltImage {
  readonly path: string
  readonly sha256: string
  readonly size: number
}

export interface RackAccess {
  readonly commands: typeof rackCommands
  readonly context: rackCommands.RackCommandContext
}
