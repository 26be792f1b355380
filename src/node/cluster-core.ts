/**
 * What every machine runs of the cluster: its peer door, its seat among the members if it has
 * one, the store from here, its part in liveness and, while it leads, the leader's loops. Main
 * and simulation both put it together here, so that what is simulated is what runs.
 */
import * as Type from 'typebox'
import { describeError, JangadaError } from '../base/errors.ts'
import { type ClusterId, type MachineId, machineId, type MemberId, memberId } from '../base/ids.ts'
import { featureLevel } from '../core/records/features.ts'
import { machines, members } from '../core/records/keyspace.ts'
import type { MemberRecord } from '../core/records/schemas.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Crypto, KeyPair } from '../ports/crypto.ts'
import type { Disk } from '../ports/disk.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { Log } from '../ports/log.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { PeerIdentity, StreamAddress, Streams } from '../ports/streams.ts'
import type { PulseSender } from './agent/pulse.ts'
import { type QuorumReport, quorumReportSchema } from './controllers/quorum-report.ts'
import { LeaderOffice } from './controllers/office.ts'
import { readUnitsAhead, UnitRules } from './controllers/unit-rules.ts'
import type { EnrolContext } from './enrol/context.ts'
import { writePeers } from './enrol/identity-files.ts'
import { ListedKeys } from './enrol/listed-keys.ts'
import type { Peer } from './enrol/messages.ts'
import { RefusalLog } from './enrol/refusals.ts'
import { SecretHolder, sealSecretsFor } from './enrol/secrets.ts'
import { formatAddress, type KnownMember, parseAddress, toKnownMember } from './member/directory.ts'
import { follow, listAll, RecordView } from './member/follow.ts'
import { noQuorum } from './member/errors.ts'
import { handOver } from './member/hand-over.ts'
import type { Leadership } from './member/member-options.ts'
import type { MemberStore } from './member/member-store.ts'
import { PulseRelay } from './member/pulse-relay.ts'
import type { PulseAnswer } from './member/pulse-types.ts'
import { RemoteStore } from './member/remote-store.ts'
import { leaveWhenRemoved } from './member/removal.ts'
import { type MemberSizes, Seat } from './member/seat.ts'
import { tellStoreMetrics } from './member/store-metrics.ts'
import { storeMethods } from './member/store-service.ts'
import { KeepingUp, type RecordReader } from './member/keeping-up.ts'
import { SwitchingStore } from './member/switching-store.ts'
import { checker } from './member/wire-schemas.ts'
import type { CallMethods } from './wire/calls.ts'
import { Door } from './wire/door.ts'

/** A voter that takes longer to bring the leader's word counts as silent. */
const pulseTimeoutMs = 1000
const quorumTimeoutMs = 2000
/** A log that takes longer to read is read while everything else already runs. */
const seatWaitMs = 500

const checkQuorum = checker(quorumReportSchema)
const checkTransfer = checker(Type.Object({ to: Type.Integer({ minimum: 1 }) }))

export interface ClusterCoreOptions {
  readonly clusterId: ClusterId
  readonly machineId: MachineId
  readonly key: KeyPair
  /** Where this machine's peer door is to listen; the port is the cluster's on every machine. */
  readonly listen: StreamAddress
  /** The highest level that this binary knows; another one only in tests of mixed versions. */
  readonly featureLevel?: number
  /** From `peers.json`: members as they were when this machine last ran. */
  readonly peers: readonly Peer[]
  /** The state directory. */
  readonly disk: Disk
  /** Of the member's log and snapshots, where not the usual ones. */
  readonly memberSizes?: MemberSizes
  /** For simulations: see `ControllerContext`. */
  readonly comparesPlans?: boolean
  readonly streams: Streams & { dropUnlisted(): number }
  readonly clock: Clock
  readonly entropy: Entropy
  readonly crypto: Crypto
  readonly log: Log
  readonly metrics: Metrics
  /** Answered to other machines beside what this room answers itself. */
  readonly methods: readonly CallMethods[]
  /** The member's log failed; what cannot be trusted is set aside. The process should end. */
  readonly onFatal: (reason: string) => void
}

export class ClusterCore {
  readonly store: SwitchingStore
  readonly enrol: EnrolContext
  readonly relay: PulseRelay
  readonly door: Door
  readonly #options: ClusterCoreOptions
  readonly #seat: Seat
  readonly #remote: RemoteStore
  readonly #keys: ListedKeys
  readonly #members: RecordView<MemberRecord, [string]>
  readonly #machines = new RecordView(machines, () => undefined)
  readonly #stop = new AbortController()
  readonly #rules = new UnitRules()
  #office: LeaderOffice | undefined
  #peers: readonly Peer[]

  constructor(options: ClusterCoreOptions) {
    this.#options = options
    this.#peers = options.peers
    const { clusterId, machineId: own, clock, entropy, crypto, log, disk, key } = options
    const door = (): Door => this.door
    this.#seat = new Seat({
      ...{ clusterId, disk, clock, entropy, log },
      ...(options.memberSizes === undefined ? {} : { sizes: options.memberSizes }),
      door,
      keeper: () => this.#office?.keepAlive,
      knownMembers: () => this.#knownMembers(),
      onLeadership: (store, leadership) => this.#led(store, leadership),
      onCommand: ({ result }, command) => {
        this.store.noteApplied()
        // A grant that was refused begins no lease, nor another time for the one that there is.
        if (command.kind === 'leaseGrant' && result?.kind !== 'leaseGranted') return
        this.#office?.applied(command)
      },
      onFatal: (reason) => this.#end(reason),
      onWritten: (bytes) => {
        options.metrics.count('jangada_wal_writes_total')
        options.metrics.count('jangada_wal_bytes_total', {}, bytes)
      },
      onStopped: () => this.#leaveOffice(),
    })
    this.#remote = new RemoteStore({ door, clock, entropy, peers: () => this.#addresses() })
    this.store = new SwitchingStore(() => this.#seat.store, this.#remote)
    this.relay = new PulseRelay({
      store: () => this.#seat.store,
      door,
      clock,
      log,
      judge: () => this.#office?.judge,
    })
    this.door = new Door({
      streams: options.streams,
      clock,
      log,
      clusterId,
      machineId: own,
      featureLevel: options.featureLevel ?? featureLevel,
      memberId: () => this.#seat.memberId,
      machineOf: (id) => this.#knownMembers().find((known) => known.id === id)?.machineId,
      methods: merge([
        storeMethods(() => this.#seat.store, clock),
        this.#seat.methods(),
        this.relay.methods(),
        this.#methods(),
        ...options.methods,
      ]),
      onRaftStream: (greeted) => this.#seat.adopt(greeted),
      onPeerEnded: ({ machineId: machine }) => this.relay.ended(machine),
    })
    const secrets = new SecretHolder({ machineId: own, key, store: this.store, crypto })
    const refusals = new RefusalLog({ store: this.store, clock, entropy, log })
    const shared = { clusterId, machineId: own, store: this.store, crypto, clock, entropy }
    this.enrol = { ...shared, secrets, refusals }
    this.#keys = this.#listKeys()
    this.#members = new RecordView(members, () => void this.#notePeers())
  }

  get memberId(): MemberId {
    return this.#seat.memberId
  }

  /** This machine's member at work, if it has one. */
  get member(): MemberStore | undefined {
    return this.#seat.store
  }

  /** The term this machine leads in; undefined while it does not. */
  get office(): LeaderOffice | undefined {
    return this.#office
  }

  async start(): Promise<void> {
    const { clock, log, listen, metrics } = this.#options
    const { signal } = this.#stop
    await this.door.listen(listen)
    // A long log must not keep the machine from pulsing: the rest begins without its member.
    await Promise.race([this.#seat.open(), sleep(clock, seatWaitMs, signal)])
    const shared = { store: this.store, clock, log, signal }
    void follow({ ...shared, range: this.#keys.range, follower: this.#keys })
    void follow({ ...shared, range: members.range, follower: this.#members })
    void follow({ ...shared, range: machines.range, follower: this.#machines })
    void tellStoreMetrics({ store: () => this.#seat.store, clock, metrics, signal })
    void readUnitsAhead({ rules: this.#rules, store: () => this.#seat.store, clock, log, signal })
    void leaveWhenRemoved({
      own: () => this.#seat.store,
      others: this.#remote,
      clock,
      log,
      signal,
      onRemoved: () => this.#seat.leave(),
    })
  }

  /** Whether the records list this peer's key: asked in every handshake. */
  isAllowed(peer: Pick<PeerIdentity, 'machineId' | 'keyHash'>): boolean {
    return this.#keys.isListed(peer)
  }

  /** Members as this machine knows them, itself among them. */
  knownMembers(): readonly KnownMember[] {
    return this.#knownMembers()
  }

  /** Machines that pulse, as far as this one knows. */
  get machineCount(): number {
    return this.#machines.values.filter(({ status }) => status === 'ready').length
  }

  /** Who votes, as this machine's own member knows it; empty when it has none. */
  voters(): readonly MemberId[] {
    return this.#seat.store?.member.status().config.voters ?? []
  }

  /** How this machine's agent reaches the voters. */
  pulseSender(): PulseSender {
    return {
      targets: () => this.#memberDoors().map(({ machineId: id }) => ({ machine: machineId(id) })),
      send: async ({ machine }, pulse) => {
        if (machine === this.#options.machineId) return this.relay.hear(machine, pulse)
        const target = this.#memberDoors().find((known) => known.machineId === machine)
        if (target === undefined) throw new JangadaError('JGD_UNREACHABLE', 'no such member')
        const calls = await this.door.callsTo(target.address)
        return (await calls.call('pulse.send', pulse, pulseTimeoutMs)) as PulseAnswer
      },
    }
  }

  /** To be told again and again: a member that comes later is not told by itself. */
  setPace(loopDelayMs: number): void {
    this.#seat.store?.member.setPace(loopDelayMs)
  }

  /** Asks a member to lead in this one's place. Only on the leader. */
  transferTo(id: MemberId): void {
    const own = this.#seat.store
    if (own === undefined || own.member.leadership.role !== 'leader') {
      throw new JangadaError('JGD_NOT_LEADER', 'this machine does not lead')
    }
    own.member.transferTo(id)
  }

  /**
   * A leader that is about to stop lets the best caught-up voter lead, and waits until it does.
   * Resolves with who leads now; undefined when this machine did not lead, or nobody took over.
   * Takes at most `handOverMs`. Never rejects.
   */
  async handOver(): Promise<MemberId | undefined> {
    const own = this.#seat.store
    if (own === undefined || own.member.leadership.role !== 'leader') return undefined
    const { clock, log } = this.#options
    return handOver({ member: own.member, clock, log })
  }

  /** What the leader, here or elsewhere, sees of the members. Rejects with JGD_NO_QUORUM. */
  async quorum(): Promise<QuorumReport> {
    const { leader, memberId: own } = await this.store.view()
    if (leader !== undefined && leader === own) return this.#ownQuorum()
    const address = this.#knownMembers().find(({ id }) => id === leader)?.address
    if (address === undefined) throw noQuorum()
    const calls = await this.door.callsTo(address)
    return checkQuorum(await calls.call('member.quorum', {}, quorumTimeoutMs))
  }

  #ownQuorum(): QuorumReport {
    const report = this.#office?.quorum()
    if (report !== undefined) return report
    throw new JangadaError('JGD_NOT_LEADER', 'this machine is not in office')
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#office?.leave()
    await this.#seat.close()
    await this.door.close()
  }

  #methods(): CallMethods {
    return {
      calls: new Map<string, (body: unknown) => Promise<unknown>>([
        [
          'leader.transfer',
          async (body: unknown): Promise<unknown> => {
            this.transferTo(memberId(checkTransfer(body).to))
            return {}
          },
        ],
        ['member.quorum', async (): Promise<unknown> => this.#ownQuorum()],
      ]),
      feeds: new Map(),
    }
  }

  #led(store: MemberStore, { role, term }: Leadership): void {
    if (role !== 'leader' || this.#office?.term !== term) this.#leaveOffice()
    if (role !== 'leader' || this.#office !== undefined || this.#stop.signal.aborted) return
    const { clock, entropy, log, metrics, listen, comparesPlans = false } = this.#options
    this.#office = new LeaderOffice({
      context: { store, clock, entropy, log, metrics, comparesPlans },
      term,
      table: this.relay.table,
      rules: this.#rules,
      door: () => this.door,
      peerPort: listen.port,
      featureLevel: this.#options.featureLevel ?? featureLevel,
      sealFor: (machine) => this.#sealFor(machine),
    })
  }

  #end(reason: string): void {
    this.#leaveOffice()
    this.#options.onFatal(reason)
  }

  #leaveOffice(): void {
    this.#office?.leave()
    this.#office = undefined
  }

  async #sealFor(machine: MachineId): Promise<void> {
    const then = await sealSecretsFor(this.enrol, machine)
    await this.store.transact({ compare: [], then, otherwise: [] })
  }

  #listKeys(): ListedKeys {
    const { clock, streams } = this.#options
    const dropUnlisted = (): void => void streams.dropUnlisted()
    const others: RecordReader = {
      staleForMs: 0,
      barrier: () => this.#remote.range({ ...this.#keys.range, limit: 1 }, 'linearizable'),
    }
    const keepingUp = new KeepingUp({
      reader: () => this.#seat.store?.member ?? others,
      clock,
      signal: this.#stop.signal,
      refresh: async () => {
        const listed = await listAll(this.store, this.#keys.range, 'local')
        this.#keys.reset(listed.items, listed.revision)
      },
      onCaughtUp: dropUnlisted,
    })
    return new ListedKeys(() => keepingUp.isUpToDate(), dropUnlisted)
  }

  #knownMembers(): KnownMember[] {
    const own = this.#seat.store?.knownMembers() ?? []
    if (own.length > 0) return own
    return this.#members.values.flatMap((record) => toKnownMember(record) ?? [])
  }

  #addresses(): readonly StreamAddress[] {
    return this.#memberDoors().map(({ address }) => address)
  }

  /** From the records, or, before those are here, from `peers.json`. */
  #memberDoors(): readonly Pick<KnownMember, 'machineId' | 'address'>[] {
    const known = this.#knownMembers()
    if (known.length > 0) return known
    return this.#peers.flatMap(({ machineId: id, address: text }) => {
      const address = parseAddress(text)
      return address === undefined ? [] : [{ machineId: id, address }]
    })
  }

  /** What a restart without DHCP and without a leader begins with. */
  async #notePeers(): Promise<void> {
    const known = this.#knownMembers()
    const peers = known.map((member) => ({
      machineId: member.machineId,
      address: formatAddress(member.address),
    }))
    if (peers.length === 0 || JSON.stringify(peers) === JSON.stringify(this.#peers)) return
    this.#peers = peers
    try {
      await writePeers(this.#options.disk, peers)
    } catch (error) {
      this.#options.log.warn('peers.json was not written', { cause: describeError(error) })
    }
  }
}

function merge(all: readonly CallMethods[]): CallMethods {
  return {
    calls: new Map(all.flatMap(({ calls }) => [...calls])),
    feeds: new Map(all.flatMap(({ feeds }) => [...feeds])),
  }
}
