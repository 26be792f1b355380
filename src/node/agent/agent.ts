/**
 * The agent: makes this machine run what is placed on it, says how that stands, and shows that
 * the machine lives. `core/reconcile` decides; this room looks, acts and tells.
 *
 * What it must know after its own restart is on the containers (labels) and in the store, but for
 * which images its units had pulled; stopping it, or killing it, touches no container.
 */
import { toHex } from '../../base/bytes.ts'
import { describeError } from '../../base/errors.ts'
import type { UnitName } from '../../base/ids.ts'
import { Once } from '../../base/once.ts'
import { noteFetched } from '../../core/reconcile/memory.ts'
import { reconcile } from '../../core/reconcile/reconcile.ts'
import type { DesiredUnit, UnitCondition, UnitMemory } from '../../core/reconcile/types.ts'
import type { UnitStateRecord } from '../../core/records/schemas.ts'
import { sleep, type Timer } from '../../ports/clock.ts'
import type { EngineInfo } from '../../ports/containers.ts'
import type { HostFacts } from '../../ports/host.ts'
import { putEvent } from '../controllers/context.ts'
import { silentForMsMax } from '../member/pulse-types.ts'
import type { CallMethods } from '../wire/calls.ts'
import { countedEngine, countLook, type LookCause } from './counted.ts'
import type { AgentOptions } from './agent-options.ts'
import { EngineWatch, noLiveRestoreEvent } from './engine-watch.ts'
import { Fence, fencedEvent } from './fence.ts'
import { ForeignContainers } from './foreign.ts'
import { ImageCollection } from './image-collection.ts'
import { LastWords } from './last-words.ts'
import { type LogsRequest, logMethods, readLogs } from './logs.ts'
import { PlacedUnits } from './placed-units.ts'
import { Pulser } from './pulse.ts'
import { type MachineFacts, register } from './register.ts'
import { rememberedUnits, TakenOff } from './remembered-units.ts'
import { Reports } from './reports.ts'
import { noteOutcome, type StartAction, type StartOutcome } from './starts.ts'
import { stateOf } from './unit-state.ts'
import { Usage, type UsageContext } from './usage.ts'
import { Works } from './works.ts'

const retryMs = 250
/** Between two looks whether a machine that has left is wanted again. */
const leftLookMs = 5000
/** Of the name by which this process of the agent is told from the one before. */
const runBytes = 8

export class Agent {
  readonly #options: AgentOptions
  readonly usage: Usage
  readonly #stop = new AbortController()
  readonly #reports = new Reports()
  readonly #placed: PlacedUnits
  readonly #engine: EngineWatch
  readonly #pulser: Pulser
  readonly #fence: Fence
  readonly #register: Once
  readonly #forget: Once
  readonly #takenOff = new TakenOff()
  readonly #foreign: ForeignContainers
  readonly #collection: ImageCollection
  readonly #hostFacts: Promise<HostFacts>
  readonly #lastWords: LastWords
  #works: Works | undefined
  #memory: ReadonlyMap<UnitName, UnitMemory> = new Map()
  #lookTimer: Timer | undefined
  #engineInfo: EngineInfo | undefined
  #warnedOfLiveRestore = false
  #hasLeft = false

  constructor(options: AgentOptions) {
    const containers = countedEngine(options.containers, options.metrics)
    this.#options = { ...options, containers }
    const { machineId, clock, log, metrics, store, host } = options
    this.#hostFacts = host.facts()
    this.#forget = new Once(() => this.#forgetOldStates())
    this.#placed = new PlacedUnits({
      machineId,
      ...{ store, clock, log },
      onChange: () => this.#look('placements'),
      onListed: () => this.#forget.ask(),
      onTakenOff: (unit) => this.#takenOff.note(unit),
    })
    this.#engine = new EngineWatch({
      ...{ containers, clock, log },
      onChange: (by) => this.#look(by),
      onConnected: (info) => this.#connected(info),
    })
    this.#foreign = new ForeignContainers(options)
    this.#lastWords = new LastWords({
      ...{ containers, clock, log },
      onChange: () => this.#look('work'),
    })
    this.#collection = new ImageCollection({
      ...options,
      name: options.facts.name,
      placed: this.#placed,
      signal: this.#stop.signal,
      onEvent: (event) => void this.#writeEvent(event),
    })
    this.usage = new Usage(this.#logsContext)
    this.#fence = this.#makeFence()
    this.#register = new Once(() => this.#registerUntilDone())
    this.#pulser = new Pulser({
      machineId,
      run: toHex(options.entropy.bytes(runBytes)),
      clock,
      log,
      metrics,
      sender: options.pulses,
      reports: this.#reports,
      bootId: async () => (await this.#hostFacts).bootId,
      memberId: options.memberId,
      machineCount: options.machineCount,
      onRegister: () => this.#register.ask(),
      onAcknowledged: (sentMs) => this.#fence.acknowledged(sentMs),
    })
  }

  /** Returns at once; everything goes on until `stop`. */
  start(): void {
    const { signal } = this.#stop
    void this.#pulser.run(signal)
    this.#register.ask()
    void this.#placed.run(signal)
    void this.#hostFacts.then(({ bootId }) => {
      this.#works = this.#makeWorks(bootId)
      if (!signal.aborted) void this.#engine.run(signal)
    })
  }

  /** What this machine is has changed: its record is written again. */
  factsChanged(): void {
    this.#register.ask()
  }

  /**
   * Ends every loop and touches no container. The members are told first that this is planned, so
   * that the machine is not declared lost within `silentForMs`; without it, it is not waited for.
   */
  async stop({ silentForMs = 0 }: { readonly silentForMs?: number } = {}): Promise<void> {
    if (this.#stop.signal.aborted) return
    await this.#pulser.farewell(Math.min(silentForMsMax, silentForMs))
    this.#stop.abort()
    this.#works?.stop()
    this.#lookTimer?.cancel()
  }

  /** Every unit that is placed here or has a container here. */
  unitStates(): readonly UnitStateRecord[] {
    return this.#reports.states
  }

  /** When the last acknowledged pulse was sent, on the monotonic clock; undefined before one. */
  get acknowledgedMs(): number | undefined {
    return this.#pulser.acknowledgedMs
  }

  /** The output of a unit's container on this machine, as it comes; see `logs.ts`. */
  logs(
    unit: string,
    options: Pick<LogsRequest, 'tail' | 'follow'>,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    return readLogs(this.#logsContext, { unit, ...options }, signal)
  }

  /** What other machines may ask of this one. */
  methods(): CallMethods {
    return { ...logMethods(this.#logsContext), calls: this.usage.methods }
  }

  get #logsContext(): UsageContext {
    const { clusterId, containers, clock } = this.#options
    return { clusterId, containers, clock, observed: () => this.#engine.containers }
  }

  #makeFence(): Fence {
    const { machineId, facts } = this.#options
    return new Fence({
      ...this.#options,
      onChange: () => this.#look('fence'),
      onFenced: (condemned) => {
        for (const one of condemned) void this.#writeEvent(fencedEvent(machineId, facts.name, one))
      },
    })
  }

  #makeWorks(bootId: string): Works {
    const { clusterId, machineId, containers, clock, host, log } = this.#options
    return new Works({
      clusterId,
      machineId,
      bootId,
      containers,
      pull: this.#collection.pull,
      clock,
      host,
      log,
      fence: this.#fence,
      specOf: (unit, hash) => this.#placed.specOf(unit, hash),
      refresh: () => this.#engine.refresh(),
      onStarted: (action, outcome) => this.#started(action, outcome),
      onFetched: (unit, hash, failure) => {
        this.#note(unit, (memory) => {
          return memory.hash === hash ? noteFetched(memory, failure, clock.monotonicMs()) : memory
        })
      },
      onChange: () => this.#look('work'),
    })
  }

  /** Compares what should run with what runs, and sets to work. */
  #look(by: LookCause): void {
    const works = this.#works
    // Before the engine was asked, nothing is unknown yet: a restart of the agent makes no noise.
    if (works === undefined || this.#stop.signal.aborted || !this.#engine.isKnown) return
    const { containers } = this.#engine
    // Whether or not the cluster is heard: what nobody guards must not run on.
    if (containers !== undefined && !this.#fence.observe(containers)) return
    const { desired } = this.#placed
    if (desired === undefined) return
    if (containers !== undefined) this.#collection.observe(containers)
    const { clock, clusterId, metrics } = this.#options
    countLook(metrics, by)
    const nowMs = clock.monotonicMs()
    const result = reconcile({
      clusterId,
      bootId: works.bootId,
      nowMs,
      desired,
      containers,
      memory: this.#memory,
      work: works.inFlight,
      fenced: this.#fence.condemned,
    })
    this.#memory = result.memory
    const news = this.#publish(
      result.conditions,
      new Map(desired.map((unit) => [unit.name, unit])),
      nowMs,
    )
    for (const action of result.actions) works.carryOut(action)
    if (news) this.#pulser.news()
    this.#foreign.note(result.foreign)
    metrics.gauge('jangada_agent_units', result.conditions.size)
    this.#lookTimer?.cancel()
    this.#lookTimer =
      result.nextLookMs === undefined
        ? undefined
        : clock.after(result.nextLookMs - nowMs, () => this.#look('clock'))
  }

  /** True when something changed. */
  #publish(
    conditions: ReadonlyMap<UnitName, UnitCondition>,
    placed: ReadonlyMap<UnitName, DesiredUnit>,
    nowMs: number,
  ): boolean {
    const before = new Map(this.#reports.states.map((state) => [state.unit, state]))
    let news = false
    this.#lastWords.keep(conditions)
    for (const [unit, condition] of conditions) {
      const memory = this.#memory.get(unit)
      const message = this.#lastWords.explain(unit, memory, condition.message)
      const state = stateOf(
        unit,
        { ...condition, message },
        {
          machine: this.#options.machineId,
          memory,
          placed: placed.get(unit),
          before: before.get(unit),
          wallMs: this.#options.clock.wallMs(),
        },
      )
      news = this.#reports.set(state, nowMs) || news
    }
    for (const unit of before.keys()) {
      const name = unit as UnitName
      if (conditions.has(name) || placed.has(name)) continue
      // While the engine is down, its containers may be there: only the store's word is known.
      if (this.#engine.containers !== undefined) news = this.#reports.gone(unit, nowMs) || news
    }
    if (this.#engine.containers === undefined) return news
    for (const unit of this.#takenOff.gone(placed, conditions)) {
      news = this.#reports.gone(unit, nowMs) || news
    }
    return news
  }

  #started(action: StartAction, outcome: StartOutcome): void {
    const { metrics, clock } = this.#options
    metrics.count('jangada_unit_starts', { outcome: outcome.kind })
    const desired = this.#placed.desired?.find(({ name }) => name === action.unit)
    const how = { action, outcome, desired, nowMs: clock.monotonicMs() }
    this.#note(action.unit, (memory) => noteOutcome(memory, how))
  }

  #note(unit: UnitName, change: (memory: UnitMemory) => UnitMemory): void {
    const memory = this.#memory.get(unit)
    if (memory !== undefined) this.#memory = new Map([...this.#memory, [unit, change(memory)]])
  }

  #connected(info: EngineInfo): void {
    const before = this.#engineInfo
    this.#engineInfo = info
    const { log } = this.#options
    log.info('connected to the container engine', { engine: info.name, version: info.version })
    if (before?.liveRestore !== info.liveRestore) this.#register.ask()
    if (info.liveRestore || this.#warnedOfLiveRestore) return
    this.#warnedOfLiveRestore = true
    const event = noLiveRestoreEvent(this.#options.machineId, this.#options.facts.name)
    log.warn(event.message, { code: event.code })
    void this.#writeEvent(event)
  }

  #writeEvent(event: Parameters<typeof putEvent>[1]): Promise<void> {
    const then = [putEvent(this.#options, event)]
    return this.#untilDone('an event was not written', async () => {
      await this.#options.store.transact({ compare: [], then, otherwise: [] })
      return true
    })
  }

  #registerUntilDone(): Promise<void> {
    return this.#untilDone('this machine is not registered yet', async () => {
      const outcome = await register(this.#options, await this.#machineFacts())
      if (outcome === 'written') this.#options.log.info('registered as ready')
      if (outcome === 'left') await this.#noteLeft()
      return outcome !== 'raced'
    })
  }

  /** The leader goes on to ask for a registration. */
  async #noteLeft(): Promise<void> {
    const { log, clock } = this.#options
    if (!this.#hasLeft) log.warn('this machine has left the cluster: its units are stopped')
    this.#hasLeft = true
    await sleep(clock, leftLookMs, this.#stop.signal)
  }

  async #machineFacts(): Promise<MachineFacts> {
    const { bootId, cpus, memoryBytes } = await this.#hostFacts
    const engine = this.#engineInfo
    const bootAddresses = this.#options.bootAddresses?.() ?? []
    return {
      ...this.#options.facts,
      ...(bootAddresses.length === 0 ? {} : { bootAddresses: [...bootAddresses] }),
      bootId,
      // The engine does not know of limits that the host has, nor the host of the engine's.
      cpus: Math.min(cpus, engine?.cpus ?? cpus),
      memoryBytes: Math.min(memoryBytes, engine?.memoryBytes ?? memoryBytes),
      liveRestore: engine?.liveRestore ?? false,
    }
  }

  /** Units that went while no agent ran, or unseen: only the store remembers them. */
  #forgetOldStates(): Promise<void> {
    const { store, machineId, clock } = this.#options
    return this.#untilDone('old states were not read', async () => {
      if (this.#engine.containers === undefined) return false
      const remembered = await rememberedUnits(store, machineId)
      const placed = this.#placed.desired
      if (placed === undefined || this.#engine.containers === undefined) return false
      const known = new Set(this.#reports.states.map(({ unit }) => unit))
      for (const { name } of placed) known.add(name)
      for (const unit of remembered) {
        if (!known.has(unit)) this.#reports.gone(unit, clock.monotonicMs())
      }
      return true
    })
  }

  /** Again and again until `attempt` gives true, or the agent stops. Never rejects. */
  async #untilDone(trouble: string, attempt: () => Promise<boolean>): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        if (await attempt()) return
      } catch (error) {
        log.debug(trouble, { cause: describeError(error) })
      }
      await sleep(clock, retryMs, signal)
    }
  }
}
