/** What a boot node knows about one of its links, and what is committed about one machine. */
import type { Mac, Uuid } from '../hardware.ts'
import type { Ipv4, Subnet } from '../ipv4.ts'
import type { Loaders } from '../profiles/profile.ts'

export interface LinkContext {
  /** This node's own address on the link: siaddr, option 54 and the host of every URL. */
  readonly subnet: Subnet
  readonly router: Ipv4 | undefined
  readonly nameServers: readonly Ipv4[]
  readonly timeServers: readonly Ipv4[]
  readonly leaseSeconds: number
  /** Where `/boot/…` is served over plain HTTP. */
  readonly httpPort: number
  /** Addresses of all boot nodes of this cluster; any other server on the link is foreign. */
  readonly servers: readonly Ipv4[]
}

/** Machine and address, committed. */
export interface Binding {
  readonly mac: Mac
  readonly uuid: Uuid | undefined
  readonly address: Ipv4
}

/** What is known about the machine that asks. */
export interface MachineView {
  readonly binding: Binding | undefined
  readonly hostname: string | undefined
  readonly loaders: Loaders
}
