/** What bootd needs to know of the cluster, followed from the store. */
import { parseIpv4 } from '../../core/netboot/ipv4.ts'
import type { Ipv4 } from '../../core/netboot/ipv4.ts'
import { selectProfile } from '../../core/netboot/profiles/profile.ts'
import type { Profile } from '../../core/netboot/profiles/profile.ts'
import { machines } from '../../core/records/keyspace.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { follow, RecordView } from '../member/follow.ts'
import type { StoreAccess } from '../member/store-access.ts'
import type { BootCluster } from './bindings.ts'

export interface StoreClusterOptions {
  readonly store: Pick<StoreAccess, 'range' | 'watch'>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** This node's address: the nearest door of all. */
  readonly ownAddress: string
  /** The port on which nodes enrol machines. */
  readonly enrolPort: number
  readonly authorityPin: string
  readonly nonceKey: () => Uint8Array | undefined
  /** Beside the profile's own; each as `isKernelArgument` wants it. */
  readonly kernelArguments?: readonly string[]
}

/** Follows the machines until `signal` aborts; before the first list it knows only this node. */
export function storeCluster(options: StoreClusterOptions): BootCluster {
  const {
    ownAddress,
    enrolPort,
    authorityPin,
    nonceKey,
    kernelArguments = [],
    ...following
  } = options
  let servers: readonly Ipv4[] = []
  let joinAddresses: readonly string[] = [`${ownAddress}:${enrolPort}`]
  const view = new RecordView(machines, () => {
    const all = view.values
    servers = all.flatMap(({ address, bootAddresses = [] }) =>
      [address, ...bootAddresses].flatMap((one) => parseIpv4(one) ?? []),
    )
    // Machines with a disk will still be there at the next boot; of the others any may be gone.
    const others = all
      .filter(({ status, address }) => status === 'ready' && address !== ownAddress)
      .toSorted((a, b) => Number(b.durable) - Number(a.durable) || (a.id < b.id ? -1 : 1))
    joinAddresses = [ownAddress, ...others.map(({ address }) => address)].map(
      (address) => `${address}:${enrolPort}`,
    )
  })
  void follow({ ...following, range: machines.range, follower: view })
  // There are no profile records yet, so every machine has the one that is built in.
  const profiles: readonly Profile[] = []
  return {
    profileFor: (machine) => {
      const profile = selectProfile(profiles, { ...machine, labels: {} })
      return { ...profile, kernelArguments: [...profile.kernelArguments, ...kernelArguments] }
    },
    hostnameFor: () => undefined,
    nonceKey,
    joinAddresses: () => joinAddresses,
    authorityPin: () => authorityPin,
    bootServers: () => servers,
  }
}
