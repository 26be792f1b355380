/** What the handlers work with; the composition root fills it, on a machine or in a simulation. */
import type { ClusterId, MachineId } from '../../base/ids.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Crypto } from '../../ports/crypto.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Log } from '../../ports/log.ts'
import type { PeerIdentity } from '../../ports/streams.ts'
import type { UnitUsage } from '../agent/usage.ts'
import type { StoredImage } from '../assets/assets.ts'
import type { QuorumReport } from '../controllers/quorum-report.ts'
import type { BootTimelineEntry } from '../bootd/boot-step.ts'
import type { BootRoutes } from '../bootd/http.ts'
import type { EnrolAnswer, EnrolRequest, RenewRequest } from '../enrol/messages.ts'
import type { StoreAccess } from '../member/store-access.ts'

export interface ApiContext {
  readonly clusterId: ClusterId
  /** This node's machine. */
  readonly machineId: MachineId
  readonly name: string
  /** The program's, for example `0.1.0`. */
  readonly version: string
  readonly store: StoreAccess
  readonly crypto: Crypto
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  /** The cluster's CA certificate: tokens carry its pin. */
  readonly authorityPem: string
  /** Every metric in Prometheus' text format. */
  readonly metricsText: () => Promise<{ readonly text: string; readonly contentType: string }>
  /** `POST /v1/enrol`; forwards to a machine that holds the CA's key when this one does not. */
  readonly enrol: (request: EnrolRequest, remoteAddress: string) => Promise<EnrolAnswer>
  /** `POST /v1/renew`, likewise. */
  readonly renew: (
    peer: PeerIdentity,
    request: RenewRequest,
  ) => Promise<{ readonly certificatePem: string }>
  /** Resolves once another member leads. Rejects with JGD_NO_QUORUM or JGD_CONFLICT. */
  readonly transferLeader: (to: MachineId) => Promise<void>
  /** As the leader sees the members. Rejects with JGD_NO_QUORUM, or when it does not answer. */
  readonly quorum: () => Promise<QuorumReport>
  readonly unitLogs: UnitLogs
  /** Of a machine's units. Rejects with JGD_MACHINE_UNREACHABLE or JGD_ENGINE_DOWN. */
  readonly unitUsage: (machine: MachineId) => Promise<readonly UnitUsage[]>
  /** The cluster's state as a file; see `SnapshotSaver`. Absent where nobody could make one. */
  readonly saveSnapshot?: (signal: AbortSignal) => AsyncIterable<Uint8Array>
  /** Of the machines that this node has booted. */
  readonly bootTimeline: () => readonly BootTimelineEntry[]
  /** Present on a node with boot links. */
  readonly bootRoutes?: BootRoutes
  /** Present on a node that stores images. */
  readonly images?: ApiImages
}

/**
 * The output of the unit's container on `machine`, forwarded from there when that is another
 * one. Rejects with JGD_MACHINE_UNREACHABLE, JGD_ENGINE_DOWN or JGD_NOT_FOUND (no container).
 */
export type UnitLogs = (
  place: { readonly unit: string; readonly machine: MachineId },
  options: { readonly tail: number; readonly follow: boolean },
  signal: AbortSignal,
) => AsyncIterable<Uint8Array>

/** The part of `node/assets` that people reach. */
export interface ApiImages {
  list(): Promise<readonly StoredImage[]>
  import(archive: AsyncIterable<Uint8Array>, sha256: string): Promise<StoredImage>
  /** False when there is none of that name. */
  remove(name: string): Promise<boolean>
}
