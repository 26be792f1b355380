/** What an agent is given: the world behind ports, and what its machine is. */
import type { ClusterId, MachineId } from '../../base/ids.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Containers } from '../../ports/containers.ts'
import type { Disk } from '../../ports/disk.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Fencer } from '../../ports/fencer.ts'
import type { Host } from '../../ports/host.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { StoreAccess } from '../member/store-access.ts'
import type { PulseSender } from './pulse.ts'
import type { MachineFacts } from './register.ts'

/** What the composition root knows of this machine; the rest is asked of host and engine. */
export type OwnFacts = Pick<
  MachineFacts,
  'name' | 'address' | 'keyHash' | 'metadata' | 'durable' | 'version' | 'featureLevel'
>

export interface AgentOptions {
  readonly machineId: MachineId
  readonly clusterId: ClusterId
  readonly store: StoreAccess
  readonly containers: Containers
  /** The state directory. */
  readonly disk: Disk
  readonly clock: Clock
  readonly entropy: Entropy
  readonly host: Host
  readonly log: Log
  readonly metrics: Metrics
  readonly facts: OwnFacts
  /** Where blank machines boot from this one, as its links are now; each an IPv4 address. */
  readonly bootAddresses?: () => readonly string[]
  readonly pulses: PulseSender
  readonly fencer: Fencer
  /** The Raft member on this machine; 0 when there is none. */
  readonly memberId: () => number
  /** Machines that pulse, as far as this one knows. */
  readonly machineCount: () => number
}
