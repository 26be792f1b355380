/** A container engine: Docker's on a machine, a simulated one in the simulation. */
import type { ContainerSpec } from '../base/container-spec.ts'
import type { Images } from './images.ts'

export interface Containers extends Images {
  /** Rejects with `JGD_ENGINE_DOWN` when the engine does not answer, as every call here does. */
  info(): Promise<EngineInfo>
  /** Every container that carries `label` with `value`, running or not. */
  list(label: string, value: string): Promise<readonly ContainerFacts[]>
  /**
   * Changes as they happen, for containers that carry the label. Ends (without error) when the
   * connection is lost: the caller lists all again, because an engine that was down tells
   * nothing of what died meanwhile. The first item, `subscribed`, says that from here on nothing
   * is missed: a list that begins after it sees everything that no event will tell.
   */
  events(label: string, value: string, signal: AbortSignal): AsyncIterable<ContainerEvent>
  /**
   * Rejects with `JGD_IMAGE_MISSING`, `JGD_CONFLICT` when the name is taken, or `JGD_BAD_REQUEST`
   * when the engine refuses the spec.
   */
  create(name: string, spec: ContainerSpec): Promise<string>
  /** Rejects with `JGD_BAD_REQUEST` when the engine cannot start it: a port taken, no such program. */
  start(id: string): Promise<void>
  /**
   * `signal` (undefined: the container's own), then SIGKILL after `graceMs` (undefined: never).
   * Resolves once it is stopped; absent is fine.
   */
  stop(id: string, signal: string | undefined, graceMs: number | undefined): Promise<void>
  /** Removes it, killing it if it runs; absent is fine. Its anonymous volumes go with it. */
  remove(id: string): Promise<void>
  /** The same, but of one that runs: false, and it runs on. */
  removeStopped(id: string): Promise<boolean>
  /** What these use; without those that do not run. */
  usage(ids: readonly string[]): Promise<ReadonlyMap<string, ContainerUsage>>
  /** Output, oldest first; ends with the container unless `follow`. */
  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>
}

export interface ContainerUsage {
  readonly memoryBytes: number
  /** Processor time since its start. */
  readonly cpuMs: number
}

export interface LogOptions {
  /** Lines from the end; at most 10,000. */
  readonly tail: number
  readonly follow: boolean
}

export interface EngineInfo {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly liveRestore: boolean
  readonly cpus: number
  readonly memoryBytes: number
}

export interface ContainerFacts {
  readonly id: string
  readonly name: string
  readonly image: string
  /** The image's id: the digest of its configuration, the same wherever the image is. */
  readonly imageDigest: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'
  /** Present once it has exited. */
  readonly exitCode: number | undefined
  readonly startedAtMs: number | undefined
  readonly finishedAtMs: number | undefined
}

export interface ContainerEvent {
  /** Empty with `subscribed`. */
  readonly id: string
  readonly kind: 'subscribed' | 'create' | 'start' | 'die' | 'destroy' | 'other'
}
