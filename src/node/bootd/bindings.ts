/** What bootd needs to know of the cluster, and the one thing it writes. */
import type { Binding } from '../../core/netboot/dhcp/link.ts'
import type { Mac, Uuid } from '../../core/netboot/hardware.ts'
import type { Ipv4 } from '../../core/netboot/ipv4.ts'
import type { Pool } from '../../core/netboot/pool.ts'
import type { BootingMachine, Profile } from '../../core/netboot/profiles/profile.ts'
import type { Link } from '../../ports/datagrams.ts'

/** A link that blank machines boot from, and the addresses this cluster may give on it. */
export interface BootLink {
  readonly link: Link
  readonly pool: Pool
  readonly router: Ipv4 | undefined
  readonly nameServers: readonly Ipv4[]
  readonly timeServers: readonly Ipv4[]
  readonly leaseSeconds: number
}

export interface BindRequest {
  readonly mac: Mac
  readonly uuid: Uuid | undefined
  readonly link: BootLink
}

export interface Bindings {
  /** From local state: no boot of a known machine ever waits for a quorum. */
  lookup(mac: Mac): Binding | undefined
  lookupAddress(address: Ipv4): Binding | undefined
  /**
   * Resolves once the binding is committed; for a machine already bound, with what it has. Rejects
   * with JGD_POOL_FULL, JGD_NO_QUORUM, JGD_OVERLOADED or JGD_OUTCOME_UNKNOWN; the client asks
   * again by itself.
   */
  bind(request: BindRequest): Promise<Binding>
  /** Takes `address` from `mac` and lets it rest: another host on the link uses it. */
  quarantine(mac: Mac, address: Ipv4): Promise<void>
}

/** The cluster's own facts, from local state. */
export interface BootCluster {
  profileFor(machine: Omit<BootingMachine, 'labels'>): Profile
  /** What the machine is told to call itself, if anything. */
  hostnameFor(mac: Mac): string | undefined
  /** The key that boot nonces are made with; undefined until this node holds it. */
  nonceKey(): Uint8Array | undefined
  /** `ADDRESS:PORT` of enrolment doors, the nearest first. */
  joinAddresses(): readonly string[]
  /** SHA-256 of the cluster CA's SubjectPublicKeyInfo, hex. */
  authorityPin(): string
  /** Addresses of all nodes that serve DHCP, this one included. */
  bootServers(): readonly Ipv4[]
}
