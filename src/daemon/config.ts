/** What `jangada up`, `init` and `join` are told; the CLI reads it from the command line. */

/** The doors of ARCHITECTURE 9. Tests move them; a cluster's machines all use the same peer port. */
export interface Ports {
  readonly plain: number
  readonly api: number
  readonly peer: number
}

export const defaultPorts: Ports = { plain: 7380, api: 7381, peer: 7382 }
export const defaultStateDirectory = '/var/lib/jangada'
export const defaultSocketPath = '/run/jangada/jangada.sock'
export const defaultDockerSocket = '/var/run/docker.sock'

export interface MachineConfig {
  readonly stateDirectory: string
  /** The machine's name for people; undefined takes the host's. */
  readonly name: string | undefined
  /** IPv4 on which the other machines reach this one; undefined takes the first link's. */
  readonly address: string | undefined
  readonly ports: Ports
}

export interface InitConfig extends MachineConfig {
  readonly voters: 1 | 3 | 5 | 7
  readonly admission: 'sticky' | 'approve' | 'auto'
}

export interface JoinConfig extends MachineConfig {
  /** `HOST` or `HOST:PORT` of any machine's API door. */
  readonly door: string
  readonly token: string
}

export interface UpConfig extends MachineConfig {
  readonly socketPath: string
  readonly dockerSocket: string
  readonly metadata: Readonly<Record<string, string>>
  /** Links on which blank machines may boot; empty serves none. */
  readonly bootLinks: readonly string[]
  /** For the kernels of the machines that this one boots, beside what the cluster tells them. */
  readonly kernelArguments: readonly string[]
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Join first, when the state directory is empty. */
  readonly join: { readonly door: string; readonly token: string } | undefined
}
