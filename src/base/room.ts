/** What units take of a machine, and how much of it there is: read from files, weighed by the scheduler. */

/** How much of a machine may be reserved. */
export interface Capacity {
  readonly memoryBytes: number
  /** Billionths of a processor. */
  readonly nanoCpus: number
}

/** What a unit reserves on its machine, as far as its file says it; zero is nothing. */
export interface Needs extends Capacity {
  /** Fixed ports of the host. */
  readonly ports: readonly HostPort[]
  /** Names of volumes that the machine's engine keeps: the unit goes where they are. Absent: none. */
  readonly volumes?: readonly string[]
}

export interface HostPort {
  /** `8080/tcp` */
  readonly port: string
  /** Empty: on every address. */
  readonly ip: string
}
