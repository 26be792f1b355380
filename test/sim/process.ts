/**
 * One run of the program on a simulated machine: the core, the agent and the API, put together
 * as the daemon does it. Once it is killed nothing of it goes on, and nobody hears of it.
 */
import { assert } from '../../src/base/assert.ts'
import { describeError, JangadaError } from '../../src/base/errors.ts'
import { firstFeatureLevel } from '../../src/core/records/features.ts'
import { Forwarder } from '../../src/daemon/forward.ts'
import { Agent } from '../../src/node/agent/agent.ts'
import type { PulseSender } from '../../src/node/agent/pulse.ts'
import { Api } from '../../src/node/api/api.ts'
import { ClusterCore } from '../../src/node/cluster-core.ts'
import { type IdentityFiles, readPeers } from '../../src/node/enrol/identity-files.ts'
import type { MemberSizes } from '../../src/node/member/seat.ts'
import type { PulseAnswer } from '../../src/node/member/pulse-types.ts'
import type { Containers } from '../../src/ports/containers.ts'
import type { Crypto, KeyPair } from '../../src/ports/crypto.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Entropy } from '../../src/ports/entropy.ts'
import type { Fencer } from '../../src/ports/fencer.ts'
import type { Host } from '../../src/ports/host.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Metrics } from '../../src/ports/metrics.ts'
import type { SimulatedClock } from './clock.ts'
import type { MachineSpec } from './machine.ts'
import type { HttpsServer } from './pinned-https.ts'
import { type LogSink, noMetrics, sinkLog } from './quiet.ts'
import { SimulatedStreams, type SimulatedSwitchboard } from './streams.ts'

export const peerPort = 7382
const pulseTimeoutMs = 1000
const paceMs = 1000
const version = 'simulated'
/** How long the cluster waits for an agent that was stopped on purpose to come back. */
const plannedSilenceMs = 15_000

export interface ProcessOptions {
  readonly machine: MachineSpec
  readonly bootId: string
  readonly disk: Disk
  readonly memberSizes: MemberSizes
  readonly clock: SimulatedClock
  readonly entropy: Entropy
  readonly containers: Containers
  readonly fencer: Fencer
  readonly board: SimulatedSwitchboard
  readonly crypto: Crypto
  /** How late the loop is now. */
  readonly loopDelayMs: () => number
  /** Of the binary that runs: an older one knows a lower level. */
  readonly featureLevel: number
  readonly agentMetrics: Metrics
  readonly log: LogSink
  /** Who this machine is; resolves when it belongs to the cluster. */
  readonly join: (disk: Disk) => Promise<IdentityFiles>
  /** The API's door is open. */
  readonly onServing: () => void
  /** It cannot go on. */
  readonly onEnd: (reason: string) => void
}

export class SimulatedProcess {
  readonly clock: SimulatedClock
  readonly entropy: Entropy
  readonly #options: ProcessOptions
  readonly #log: Log
  #isAlive = true
  #streams: SimulatedStreams | undefined
  #core: ClusterCore | undefined
  #agent: Agent | undefined
  #server: HttpsServer | undefined

  constructor(options: ProcessOptions) {
    this.clock = options.clock
    this.entropy = options.entropy
    this.#options = options
    this.#log = sinkLog((level, message, fields) => {
      if (this.#isAlive) options.log(level, message, fields)
    })
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Undefined until the machine belongs to the cluster. */
  get core(): ClusterCore | undefined {
    return this.#core
  }

  get agent(): Agent | undefined {
    return this.#agent
  }

  /** The API's door; undefined until it is open. */
  get server(): HttpsServer | undefined {
    return this.#server
  }

  start(): void {
    this.#start().catch((error: unknown) => this.#end(describeError(error)))
  }

  /** What the daemon does when it is asked to stop; then it has ended. */
  async stop(): Promise<void> {
    await this.#core?.handOver()
    await this.#agent?.stop({ silentForMs: plannedSilenceMs })
    await this.#core?.stop()
  }

  /** The kernel resets its connections. */
  kill(): void {
    this.#stop()
    this.#streams?.kill()
  }

  breakStreamsWith(host: string): void {
    this.#streams?.breakStreamsWith(host)
  }

  /** With its machine: nobody hears anything. */
  vanish(): void {
    this.#stop()
    this.#streams?.vanish()
  }

  #stop(): void {
    this.#isAlive = false
    this.clock.stop()
  }

  #end(reason: string): void {
    if (this.#isAlive) this.#options.onEnd(reason)
  }

  async #start(): Promise<void> {
    const { disk, crypto, join } = this.#options
    const files = await join(disk)
    const key = await crypto.importKey(files.privateKeyPem)
    if (!this.#isAlive) return
    const forwarder = this.#forwarder(files)
    const core = this.#makeCore(files, key, await readPeers(disk), forwarder)
    this.#core = core
    await core.start()
    this.#keepPace(core)
    this.#agent = this.#makeAgent(core, files, key)
    this.#agent.start()
    const api = this.#makeApi(core, files, forwarder)
    this.#server = { api, pin: crypto.spkiHash(files.authorityPem), alive: () => this.#isAlive }
    this.#options.onServing()
  }

  /** A simulated loop is late only in stories that say so; whoever is heard may be. */
  #keepPace(core: ClusterCore): void {
    this.clock.after(paceMs, () => {
      core.setPace(this.#options.loopDelayMs())
      this.#keepPace(core)
    })
  }

  #makeCore(
    files: IdentityFiles,
    key: KeyPair,
    peers: Awaited<ReturnType<typeof readPeers>>,
    forwarder: Forwarder,
  ): ClusterCore {
    const { machine, disk, memberSizes, clock, entropy, crypto, board } = this.#options
    this.#streams = new SimulatedStreams(board, {
      host: machine.host,
      clock,
      identity: files,
      isAllowed: (peer) => this.#core?.isAllowed(peer) ?? true,
    })
    return new ClusterCore({
      clusterId: files.clusterId,
      machineId: files.machineId,
      key,
      listen: { host: machine.host, port: peerPort },
      peers,
      disk,
      memberSizes,
      comparesPlans: true,
      streams: this.#streams,
      clock,
      entropy,
      crypto,
      log: this.#log,
      metrics: noMetrics,
      featureLevel: this.#options.featureLevel,
      methods: [forwarder.methods()],
      onFatal: (reason) => this.#end(reason),
    })
  }

  #forwarder(files: IdentityFiles): Forwarder {
    return new Forwarder({
      core: () => {
        assert(this.#core !== undefined, 'nobody is answered before the core stands')
        return this.#core
      },
      clock: this.clock,
      peerPort,
      machineId: files.machineId,
      ownLogs: noLogs,
      ownUsage: () => Promise.resolve([]),
    })
  }

  #makeAgent(core: ClusterCore, files: IdentityFiles, key: KeyPair): Agent {
    const { machine, disk, clock, entropy, containers, featureLevel } = this.#options
    return new Agent({
      machineId: files.machineId,
      clusterId: files.clusterId,
      store: core.store,
      containers,
      disk,
      fencer: this.#options.fencer,
      clock,
      entropy,
      host: this.#host(),
      log: this.#log,
      metrics: this.#options.agentMetrics,
      facts: {
        name: machine.name,
        address: machine.host,
        keyHash: key.keyHash,
        metadata: machine.metadata,
        durable: true,
        version,
        // The first release said nothing of it.
        ...(featureLevel > firstFeatureLevel ? { featureLevel } : {}),
      },
      pulses: pulsesThrough(core, files.machineId),
      memberId: () => core.memberId,
      machineCount: () => 1,
    })
  }

  #makeApi(core: ClusterCore, files: IdentityFiles, forwarder: Forwarder): Api {
    const { machine, clock, entropy, crypto } = this.#options
    return new Api({
      clusterId: files.clusterId,
      machineId: files.machineId,
      name: machine.name,
      version,
      store: core.store,
      crypto,
      clock,
      entropy,
      log: this.#log,
      authorityPem: files.authorityPem,
      metricsText: async () => ({ text: '', contentType: 'text/plain' }),
      enrol: (request, remoteAddress) => forwarder.enrol(request, remoteAddress),
      renew: (peer, request) => forwarder.renew(peer, request),
      transferLeader: (to) => forwarder.transferLeader(to),
      quorum: () => core.quorum(),
      unitLogs: noLogs,
      unitUsage: () => Promise.resolve([]),
      bootTimeline: () => [],
    })
  }

  #host(): Host {
    const { machine, bootId } = this.#options
    return {
      hostname: () => machine.name,
      facts: async () => ({
        smbiosUuid: machine.id,
        macs: [],
        bootId,
        cpus: 2,
        memoryBytes: 4 * 2 ** 30,
        kernel: 'simulated',
        cgroupVersion: 2,
      }),
      readTextFile: async () => null,
      exit: (code, reason) => {
        this.#end(`exit ${code}: ${reason}`)
        throw new Error('a process that has ended does not go on')
      },
    }
  }
}

/** An agent's way to the voters. */
function pulsesThrough(core: ClusterCore, own: string): PulseSender {
  return {
    targets: () =>
      core.knownMembers().map(({ machineId }) => ({ machine: machineId as MachineSpec['id'] })),
    send: async ({ machine }, pulse) => {
      if (machine === own) return core.relay.hear(own, pulse)
      const address = core.knownMembers().find(({ machineId }) => machineId === machine)?.address
      if (address === undefined) throw new JangadaError('JGD_UNREACHABLE', 'no such voter')
      const calls = await core.door.callsTo(address)
      return (await calls.call('pulse.send', pulse, pulseTimeoutMs)) as PulseAnswer
    },
  }
}

async function* noLogs(): AsyncGenerator<Uint8Array> {
  // Units of the simulation print nothing.
}
