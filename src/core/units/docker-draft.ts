/**
 * What a `docker run` line has said so far, and what its flags have to ask of the outside. The
 * flags (`docker-flags.ts`) fill it, `docker-run.ts` makes the `ContainerSpec` of it.
 */
import type {
  ContainerSpec,
  EndpointSettings,
  HealthConfig,
  HostConfig,
  PortBinding,
} from '../../base/container-spec.ts'
import type { PullPolicy } from './types.ts'

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface Network {
  readonly name: string
  readonly aliases: readonly string[]
  readonly driverOptions: Readonly<Record<string, string>>
}

export interface Draft {
  readonly config: Mutable<Omit<ContainerSpec, 'Image' | 'HostConfig' | 'NetworkingConfig'>>
  readonly host: Mutable<HostConfig>
  readonly health: Mutable<HealthConfig>
  readonly address: Mutable<NonNullable<EndpointSettings['IPAMConfig']>>
  readonly aliases: string[]
  readonly networks: Network[]
  readonly environmentFromFiles: string[]
  readonly environment: string[]
  readonly labelsFromFiles: string[]
  readonly labels: string[]
  readonly logOptions: string[]
  readonly portBindings: Record<string, PortBinding[]>
  readonly exposedPorts: Record<string, Record<string, never>>
  /** Of all that was published and exposed; a port that was named twice counts twice. */
  portsNamed: number
  logDriver: string
  noHealthcheck: boolean
  name: string | undefined
  pullPolicy: PullPolicy
}

export const newDraft = (): Draft => ({
  config: {},
  host: {},
  health: {},
  address: {},
  aliases: [],
  networks: [],
  environmentFromFiles: [],
  environment: [],
  labelsFromFiles: [],
  labels: [],
  logOptions: [],
  portBindings: {},
  exposedPorts: {},
  portsNamed: 0,
  logDriver: '',
  noHealthcheck: false,
  name: undefined,
  pullPolicy: 'missing',
})

export type FileRead =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  /** Not read yet: the flag has no effect in this round, which then gives no container. */
  | { readonly kind: 'later' }

export interface RunContext {
  /** The environment that the `docker` command would have: the unit's variables. */
  variable(name: string): string | undefined
  /** The file at this absolute path of the machine. */
  read(path: string): FileRead
}

/** Undefined: applied. A string: why the value is refused. */
export type Refusal = string | undefined
