/** The machine itself. */
export interface Host {
  hostname(): string
  facts(): Promise<HostFacts>
  /**
   * A file of the machine that a unit names, by its absolute path; null when there is none.
   * Rejects with `JGD_TOO_LARGE`, or with `JGD_NOT_FOUND` when it is there and cannot be read.
   */
  readTextFile(path: string, bytesMax: number): Promise<string | null>
  /** Ends the process at once. In the simulation it crashes the simulated node. */
  exit(code: number, reason: string): never
}

export interface HostFacts {
  /** SMBIOS UUID as the firmware tells it, or undefined. */
  readonly smbiosUuid: string | undefined
  /** Permanent MAC addresses, lower-case with colons, sorted. */
  readonly macs: readonly string[]
  readonly bootId: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly cgroupVersion: 1 | 2
}
