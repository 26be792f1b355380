/** Everything that `jangada up` runs on one machine, put together over the real world. */
import path from 'node:path'
import { present } from '../base/assert.ts'
import { utf8 } from '../base/bytes.ts'
import { describeError, isJangadaError, JangadaError } from '../base/errors.ts'
import { featureLevel } from '../core/records/features.ts'
import { parseMac } from '../core/netboot/hardware.ts'
import { Agent } from '../node/agent/agent.ts'
import { Api } from '../node/api/api.ts'
import type { ApiContext } from '../node/api/context.ts'
import type { Assets } from '../node/assets/assets.ts'
import { BootTimeline } from '../node/bootd/boot-step.ts'
import type { BootRoutes } from '../node/bootd/http.ts'
import { ClusterCore } from '../node/cluster-core.ts'
import { type IdentityFiles, readPeers } from '../node/enrol/identity-files.ts'
import type { CallMethods } from '../node/wire/calls.ts'
import { systemClock } from '../platform/clock.ts'
import { nodeCrypto } from '../platform/crypto.ts'
import { dockerContainers } from '../platform/docker.ts'
import { kernelEntropy } from '../platform/entropy.ts'
import { systemHost } from '../platform/host.ts'
import { type DoorAddress, type OpenDoor, openDoor } from '../platform/http-server.ts'
import { watchLoopDelay } from '../platform/loop-delay.ts'
import { openMetrics, type OpenMetrics } from '../platform/metrics.ts'
import { type TlsStreams, tlsStreams } from '../platform/streams.ts'
import { version } from '../platform/version.ts'
import type { KeyPair } from '../ports/crypto.ts'
import { sleep } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'
import { type BootServiceOptions, imagesOf, openAssets, openBootService } from './boot.ts'
import type { UpConfig } from './config.ts'
import { FencerClient } from './fencer-client.ts'
import { Forwarder } from './forward.ts'
import { bootArguments, isShuttingDown, linkNamed } from './machine.ts'
import { rememberedName, stateDisk } from './membership.ts'
import { keepCertificate } from './renewal.ts'

const linkRetryMs = 1000
/** What a start does says nothing of what comes after it. */
const startMs = 5000
/** The loop's delay is judged so often, each time by the last minute: `watchLoopDelay`. */
const paceWindowMs = 1000
/** How long the cluster waits for an agent that was stopped on purpose to come back. */
const plannedSilenceMs = 15_000

export interface Logging {
  readonly log: Log
  readonly flush: () => void
}

type Feed = NonNullable<ReturnType<CallMethods['feeds']['get']>>

/** Everything that runs on one machine. */
export class RunningMachine {
  readonly #config: UpConfig
  readonly #address: string
  readonly #log: Log
  readonly #flush: () => void
  readonly #stop = new AbortController()
  readonly #clock = systemClock()
  readonly #crypto = nodeCrypto()
  readonly #entropy = kernelEntropy()
  readonly #host = systemHost({ beforeExit: () => this.#flush() })
  readonly #timeline = new BootTimeline()
  readonly #doors: OpenDoor[] = []
  #files: IdentityFiles
  /** As `--name` said, now or when the machine came into the cluster; else the host's. */
  #name = ''
  /** False on a machine that was booted over the network: its state directory is in memory. */
  #durable = true
  #core: ClusterCore | undefined
  #agent: Agent | undefined
  #closeBoot: () => void = () => undefined
  #bootRoutes: BootRoutes | undefined
  #metrics: OpenMetrics | undefined

  constructor(config: UpConfig, files: IdentityFiles, address: string, logging: Logging) {
    this.#config = config
    this.#files = files
    this.#address = address
    this.#log = logging.log
    this.#flush = logging.flush
  }

  async start(): Promise<void> {
    const key = await this.#crypto.importKey(this.#files.privateKeyPem)
    const disk = await stateDisk(this.#config)
    this.#durable = (await bootArguments()) === undefined
    this.#name = this.#config.name ?? (await rememberedName(disk)) ?? this.#host.hostname()
    const open = await openMetrics()
    this.#metrics = open
    const streams: TlsStreams = tlsStreams({
      identity: this.#files,
      isAllowed: (peer) => this.#core?.isAllowed(peer) ?? true,
      onRefused: (refusal) => void this.#core?.enrol.refusals.refuse(refusal),
    })
    const forwarder = new Forwarder({
      core: () => this.#present(),
      clock: this.#clock,
      peerPort: this.#config.ports.peer,
      machineId: this.#files.machineId,
      ownUsage: () => this.#ownAgent().usage.units(),
      ownLogs: (place, options, abort) => this.#ownLogs({ unit: place.unit, ...options }, abort),
    })
    const core = new ClusterCore({
      clusterId: this.#files.clusterId,
      machineId: this.#files.machineId,
      key,
      listen: { host: '0.0.0.0', port: this.#config.ports.peer },
      peers: await readPeers(disk),
      disk,
      streams,
      clock: this.#clock,
      entropy: this.#entropy,
      crypto: this.#crypto,
      log: this.#log,
      metrics: open.metrics,
      methods: [forwarder.methods(), this.#agentMethods()],
      onFatal: (reason) => this.#die(reason),
    })
    this.#core = core
    await core.start()
    this.#startAgent(core, key.keyHash, disk, open)
    const context = this.#apiContext(core, forwarder, open)
    const assets = await openAssets(disk)
    const service = this.#bootService(core, disk, open)
    const images = imagesOf(service, assets)
    await this.#openDoors(new Api({ ...context, images }))
    void images.announce()
    void this.#openBoot(service, assets)
    void this.#watchPace(core, open)
    this.#keepCertificate(key, disk, streams, forwarder)
  }

  async #watchPace(core: ClusterCore, open: OpenMetrics): Promise<void> {
    const { signal } = this.#stop
    await sleep(this.#clock, startMs, signal)
    const loopDelay = watchLoopDelay()
    while (!signal.aborted) {
      await sleep(this.#clock, paceWindowMs, signal)
      const delayMs = loopDelay.p999Ms()
      open.metrics.gauge('jangada_loop_delay_ms', delayMs)
      core.setPace(delayMs)
    }
    loopDelay.stop()
  }

  #keepCertificate(key: KeyPair, disk: Disk, streams: TlsStreams, forwarder: Forwarder): void {
    void keepCertificate({
      files: this.#files,
      key,
      address: this.#address,
      crypto: this.#crypto,
      clock: this.#clock,
      disk,
      log: this.#log,
      signal: this.#stop.signal,
      renew: (request) => {
        const { machineId, clusterId } = this.#files
        const own = { machineId, clusterId, keyHash: key.keyHash, remoteAddress: this.#address }
        return forwarder.renew(own, request)
      },
      onRenewed: (files) => {
        this.#files = files
        streams.setIdentity(files)
        for (const door of this.#doors) if (door.kind === 'tls') door.replaceIdentity(files)
      },
    })
  }

  /** Touches no container: they run on, and the next start adopts them. */
  async stop(): Promise<void> {
    this.#closeBoot()
    await Promise.all(this.#doors.map((door) => door.close()))
    // Who leads says so first, so that the others need not find out; and who is told of a planned
    // silence is whoever will have to remember it.
    await this.#core?.handOver()
    // A restart is told beforehand and loses nothing; a machine that goes down is not waited for.
    const silentForMs = (await isShuttingDown()) ? 0 : plannedSilenceMs
    await this.#agent?.stop({ silentForMs })
    this.#stop.abort()
    await this.#core?.stop()
    this.#metrics?.close()
  }

  #startAgent(core: ClusterCore, keyHash: string, disk: Disk, open: OpenMetrics): void {
    const { machineId, clusterId } = this.#files
    const agent = new Agent({
      machineId,
      clusterId,
      store: core.store,
      containers: dockerContainers({ socketPath: this.#config.dockerSocket }),
      disk,
      fencer: new FencerClient(
        path.join(path.dirname(this.#config.socketPath), 'fencer.sock'),
        this.#clock,
      ),
      clock: this.#clock,
      entropy: this.#entropy,
      host: this.#host,
      log: this.#log,
      metrics: open.metrics,
      facts: {
        name: this.#name,
        address: this.#address,
        keyHash,
        metadata: { ...this.#config.metadata },
        durable: this.#durable,
        version: version(),
        featureLevel,
      },
      bootAddresses: () => this.#config.bootLinks.flatMap((name) => linkNamed(name)?.address ?? []),
      pulses: core.pulseSender(),
      memberId: () => core.memberId,
      machineCount: () => core.machineCount,
    })
    this.#agent = agent
    agent.start()
  }

  #apiContext(core: ClusterCore, forwarder: Forwarder, open: OpenMetrics): ApiContext {
    const { machineId, clusterId, authorityPem } = this.#files
    return {
      clusterId,
      machineId,
      name: this.#name,
      version: version(),
      store: core.store,
      crypto: this.#crypto,
      clock: this.#clock,
      entropy: this.#entropy,
      log: this.#log,
      authorityPem,
      metricsText: async () => ({ text: await open.render(), contentType: open.contentType }),
      enrol: async (request, remoteAddress) => {
        const answer = await forwarder.enrol(request, remoteAddress)
        if (answer.state === 'admitted') this.#noteEnrolled(request.facts.macs)
        return answer
      },
      renew: (peer, request) => forwarder.renew(peer, request),
      transferLeader: (to) => forwarder.transferLeader(to),
      quorum: () => core.quorum(),
      unitLogs: forwarder.unitLogs,
      unitUsage: (machine) => forwarder.unitUsage(machine),
      saveSnapshot: (signal) => forwarder.saveSnapshot(signal),
      bootTimeline: () => this.#timeline.entries(),
      bootRoutes: async (request) => {
        if (this.#bootRoutes !== undefined) return this.#bootRoutes(request)
        throw new JangadaError('JGD_NOT_FOUND', 'this node does not serve network boot')
      },
    }
  }

  #bootService(core: ClusterCore, disk: Disk, open: OpenMetrics): BootServiceOptions {
    return {
      config: this.#config,
      core,
      disk,
      clock: this.#clock,
      crypto: this.#crypto,
      entropy: this.#entropy,
      log: this.#log,
      metrics: open.metrics,
      timeline: this.#timeline,
      address: this.#address,
      authorityPem: this.#files.authorityPem,
      machineId: this.#files.machineId,
      signal: this.#stop.signal,
    }
  }

  /** The other doors do not wait for it: a boot link may come up late, or be named wrongly. */
  async #openBoot(service: BootServiceOptions, assets: Assets): Promise<void> {
    try {
      const bootd = await this.#retryWhileLinkIsDown(() => openBootService(service, assets))
      if (bootd === undefined) return
      this.#bootRoutes = bootd.routes
      this.#closeBoot = () => bootd.close()
      this.#agent?.factsChanged()
      this.#log.info('blank machines may boot', { links: this.#config.bootLinks })
    } catch (error) {
      this.#log.error('blank machines cannot boot from here', { cause: describeError(error) })
    }
  }

  /** A cable may be plugged in after the machine has started. */
  async #retryWhileLinkIsDown<T>(open: () => Promise<T>): Promise<T | undefined> {
    for (let told = false; !this.#stop.signal.aborted; told = true) {
      try {
        return await open()
      } catch (error) {
        if (!isJangadaError(error, 'JGD_LINK_UNKNOWN')) throw error
        if (!told) this.#log.warn('waiting for a boot link', { cause: describeError(error) })
        await sleep(this.#clock, linkRetryMs, this.#stop.signal)
      }
    }
    return undefined
  }

  async #openDoors(api: Api): Promise<void> {
    const { ports, socketPath } = this.#config
    const host = '0.0.0.0'
    const addresses: readonly DoorAddress[] = [
      { kind: 'plain', host, port: ports.plain },
      { kind: 'tls', host, port: ports.api, identity: this.#files },
      { kind: 'socket', path: socketPath },
    ]
    for (const address of addresses) this.#doors.push(await openDoor(api, address, this.#log))
  }

  #noteEnrolled(macs: readonly string[]): void {
    const seen = new Set<string>(this.#timeline.entries().map(({ mac }) => mac))
    for (const text of macs) {
      const mac = parseMac(text)
      if (mac !== undefined && seen.has(mac)) {
        this.#timeline.record(mac, { kind: 'enrolled' }, this.#clock.wallMs())
      }
    }
  }

  /** Asked by other machines; by then the agent is there. */
  #agentMethods(): CallMethods {
    const feeds: CallMethods['feeds'] = new Map([
      ['agent.logs', (body, context, signal) => this.#logFeed()(body, context, signal)],
    ])
    return { calls: new Map([['agent.usage', () => this.#ownAgent().usage.units()]]), feeds }
  }

  #ownAgent(): Agent {
    return present(this.#agent, 'the agent of a started machine')
  }

  #logFeed(): Feed {
    return present(this.#ownAgent().methods().feeds.get('agent.logs'), 'the feed of output')
  }

  async *#ownLogs(body: unknown, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { machineId, clusterId } = this.#files
    const peer = { machineId, clusterId, keyHash: '', remoteAddress: this.#address }
    for await (const text of this.#logFeed()(body, { peer }, signal)) {
      if (typeof text === 'string') yield utf8(text)
    }
  }

  #present(): ClusterCore {
    return present(this.#core, 'the cluster core of a started machine')
  }

  /** A log or a disk that failed: a new process begins without what was set aside. */
  #die(reason: string): void {
    this.#log.error('this process ends and should be started again', { reason })
    this.#flush()
    this.#host.exit(1, reason)
  }
}
