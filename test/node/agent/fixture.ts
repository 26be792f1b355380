/** One machine in virtual time: its agent, its engine, a store, and voters that answer as told. */
import { SeededRandom } from '../../../src/base/random.ts'
import { clusterId, machineId, type MachineId } from '../../../src/base/ids.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import type { EventRecord, UnitStateRecord } from '../../../src/core/records/schemas.ts'
import { Agent } from '../../../src/node/agent/agent.ts'
import type { PulseTarget } from '../../../src/node/agent/pulse.ts'
import type { Pulse, PulseAnswer } from '../../../src/node/member/pulse-types.ts'
import type { Containers } from '../../../src/ports/containers.ts'
import type { Host } from '../../../src/ports/host.ts'
import type { Log } from '../../../src/ports/log.ts'
import type { Metrics } from '../../../src/ports/metrics.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { SimulatedDisk } from '../../sim/disk.ts'
import { SimulatedEngine } from '../../sim/engine.ts'
import { seededEntropy } from '../../sim/entropy.ts'
import { SimulatedFencer } from '../../sim/fencer.ts'
import { LocalStore } from '../../support/local-store.ts'

export const own = machineId('1'.repeat(32))
export const cluster = clusterId('c'.repeat(32))

const silence: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silence,
}
const unmeasured: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
}

export interface SentPulse {
  readonly to: MachineId
  readonly atMs: number
  readonly pulse: Pulse
}

export interface WorldOptions {
  readonly liveRestore?: boolean
  readonly registry?: readonly string[]
}

export class AgentWorld {
  readonly random = new SeededRandom(7)
  readonly time = new SimulatedTime(this.random.fork())
  readonly store = new LocalStore()
  readonly engine: SimulatedEngine
  readonly fencer: SimulatedFencer
  /** The state directory. */
  readonly disk = new SimulatedDisk(new SeededRandom(8))
  readonly files = new Map<string, string>()
  readonly pulses: SentPulse[] = []
  voters: readonly MachineId[] = [own, machineId('2'.repeat(32)), machineId('3'.repeat(32))]
  answer: (to: MachineId, pulse: Pulse) => Promise<PulseAnswer> = () =>
    Promise.resolve({ term: 1, verdict: 'ok' })
  bootId = 'boot-1'
  agent: Agent
  /** What stands between agent and engine; a test may count there. */
  containers: Containers

  constructor({ liveRestore = true, registry = [] }: WorldOptions = {}) {
    const { time, random } = this
    this.engine = new SimulatedEngine({ time, random: random.fork(), liveRestore, registry })
    this.containers = this.engine
    this.fencer = new SimulatedFencer(time, random.fork(), this.engine, 1)
    this.agent = this.makeAgent()
  }

  makeAgent(): Agent {
    const clock = new SimulatedClock(this.time, this.random.fork())
    return new Agent({
      machineId: own,
      clusterId: cluster,
      store: this.store,
      containers: this.containers,
      disk: this.disk.mount(),
      fencer: this.fencer.connect(clock, () => Promise.resolve()),
      clock,
      entropy: seededEntropy(this.random.fork()),
      host: this.#host(),
      log: silence,
      metrics: unmeasured,
      facts: {
        name: 'n1',
        address: '10.0.0.1',
        keyHash: 'a'.repeat(64),
        metadata: { disk: 'ssd' },
        durable: true,
        version: '0.1.0',
      },
      pulses: {
        targets: () => this.voters.map((machine): PulseTarget => ({ machine })),
        send: ({ machine }, pulse) => {
          this.pulses.push({ to: machine, atMs: this.time.nowMs, pulse })
          return this.answer(machine, pulse)
        },
      },
      memberId: () => 1,
      machineCount: () => 3,
    })
  }

  #host(): Host {
    return {
      hostname: () => 'n1',
      facts: () =>
        Promise.resolve({
          smbiosUuid: undefined,
          macs: [],
          bootId: this.bootId,
          cpus: 4,
          memoryBytes: 2 ** 33,
          kernel: '6.1',
          cgroupVersion: 2,
        }),
      readTextFile: (path) => Promise.resolve(this.files.get(path) ?? null),
      exit: () => {
        throw new Error('the agent never ends the process')
      },
    }
  }

  /** Stops the agent and starts another, as an update of the program does. */
  async restartAgent(): Promise<void> {
    await this.agent.stop()
    this.agent = this.makeAgent()
    this.agent.start()
  }

  /** Submits and places a unit of these `[Service]` lines. */
  place(name: string, service: readonly string[], options: PlaceOptions = {}): void {
    const { desired = 'launched', hash = 'hash-1', unit = [] } = options
    const file = ['[Unit]', ...unit, '[Service]', ...service].join('\n')
    const record = { v: 1, name, file, hash, desired, submittedMs: 0 } as const
    const placement = { v: 1, unit: name, machine: own, desired, hash, placedMs: 0 } as const
    this.store.put(keyspace.units.put(record, name), keyspace.placements.put(placement, own, name))
  }

  unplace(name: string): void {
    this.store.put({ kind: 'delete', key: keyspace.placements.key(own, name) })
  }

  state(name: string): UnitStateRecord | undefined {
    return this.agent.unitStates().find(({ unit }) => unit === name)
  }

  /** `active/running` and the like. */
  word(name: string): string | undefined {
    const state = this.state(name)
    return state && `${state.active}/${state.sub}`
  }

  /** Lets time pass until the unit is so, and gives how long that took. Rejects after a minute. */
  async until(what: string, condition: () => boolean, limitMs = 60_000): Promise<number> {
    const startMs = this.time.nowMs
    if (await this.time.runUntil(condition, limitMs)) return this.time.nowMs - startMs
    const states = this.agent.unitStates().map(({ unit, active, sub, message }) => {
      return `${unit} ${active}/${sub} ${message}`
    })
    throw new Error(`not within ${limitMs / 1000} s: ${what}; ${states.join(', ')}`)
  }

  untilWord(name: string, word: string): Promise<number> {
    return this.until(`${name} is ${word}`, () => this.word(name) === word)
  }

  async events(): Promise<readonly EventRecord[]> {
    const { items } = await this.store.range(keyspace.events.range, 'local')
    return items.flatMap((item) => keyspace.events.read(item)?.value ?? [])
  }
}

export interface PlaceOptions {
  readonly desired?: 'loaded' | 'launched'
  readonly hash?: string
  /** Lines of `[Unit]`. */
  readonly unit?: readonly string[]
}

export const sleeping = ['ExecStart=/usr/bin/docker run busybox:jangada sleep 100000']
