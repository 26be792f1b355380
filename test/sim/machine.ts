/**
 * One simulated machine: a disk and a container engine that outlive processes, and at most one
 * process, put together from the same parts as the daemon's.
 */
import { assert } from '../../src/base/assert.ts'
import { describeError } from '../../src/base/errors.ts'
import { toHex } from '../../src/base/bytes.ts'
import type { MachineId } from '../../src/base/ids.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { featureLevel } from '../../src/core/records/features.ts'
import { joinWithToken } from '../../src/node/enrol/join.ts'
import {
  type IdentityFiles,
  loadOrMakeKey,
  readIdentity,
  writeIdentity,
  writePeers,
} from '../../src/node/enrol/identity-files.ts'
import type { MachineFacts } from '../../src/node/enrol/messages.ts'
import type { MemberSizes } from '../../src/node/member/seat.ts'
import type { Crypto } from '../../src/ports/crypto.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { SimulatedClock } from './clock.ts'
import { SimulatedDisk } from './disk.ts'
import { SimulatedEngine } from './engine.ts'
import { connectEngine, type ContainerStop } from './engine-connection.ts'
import { seededEntropy } from './entropy.ts'
import { SimulatedFencer } from './fencer.ts'
import type { SimulatedNetwork } from './network.ts'
import { simulatedHttps } from './pinned-https.ts'
import { SimulatedProcess } from './process.ts'
import { Counters, type LogSink } from './quiet.ts'
import type { SimulatedSwitchboard } from './streams.ts'
import type { Timeline } from './timeline.ts'

/** What systemd does with a process that ended by itself. */
const restartAfterMs = 500

export interface MachineSurroundings {
  readonly network: SimulatedNetwork
  readonly board: SimulatedSwitchboard
  readonly crypto: Crypto
  readonly memberSizes: MemberSizes
  readonly timeline: Timeline
  /** Hears every log line. */
  readonly log: (machine: SimulatedMachine) => LogSink
  readonly machineAt: (host: string) => SimulatedMachine | undefined
  /** Other machines' addresses: where this one may join. */
  readonly doors: (machine: SimulatedMachine) => readonly string[]
  readonly joinToken: () => string
  /** A process has opened its API's door. */
  readonly onServing: () => void
  /** A process is about to be no more. */
  readonly onDeath: (machine: SimulatedMachine) => void
  readonly onContainerStop: (stop: ContainerStop & { machine: SimulatedMachine }) => void
}

export interface MachineSpec {
  readonly id: MachineId
  readonly name: string
  readonly host: string
  readonly metadata: Readonly<Record<string, string>>
  /** Local milliseconds per true millisecond. */
  readonly clockRate: number
}

export class SimulatedMachine {
  readonly spec: MachineSpec
  readonly disk: SimulatedDisk
  readonly engine: SimulatedEngine
  readonly fencer: SimulatedFencer
  /** Of all agents that it ever had. */
  readonly counters = new Counters()
  /** Of the binary that the next process runs. */
  featureLevel = featureLevel
  /** What its processes measure of themselves: where it is long, they wait longer for others. */
  loopDelayMs = 0
  readonly #around: MachineSurroundings
  readonly #random: SeededRandom
  #process: SimulatedProcess | undefined
  #hasPower = true
  #clockRate: number
  /** Processes there ever were. */
  starts = 0
  #bootId: string
  #wallStepMs = 0
  #asleep: (() => void)[] = []

  constructor(spec: MachineSpec, around: MachineSurroundings, random: SeededRandom) {
    const { time } = around.network
    this.spec = spec
    this.#around = around
    this.#random = random
    this.disk = new SimulatedDisk(random.fork(), {
      after: (ms, fire) => time.after(ms, () => this.#whenAwake(fire)),
    })
    this.engine = new SimulatedEngine({ time, random: random.fork(), name: spec.name })
    this.fencer = new SimulatedFencer(time, random.fork(), this.engine, spec.clockRate)
    this.#bootId = toHex(random.bytes(8))
    this.#clockRate = spec.clockRate
  }

  get id(): MachineId {
    return this.spec.id
  }

  get name(): string {
    return this.spec.name
  }

  get host(): string {
    return this.spec.host
  }

  /** Undefined while none runs. */
  get process(): SimulatedProcess | undefined {
    return this.#process
  }

  get hasPower(): boolean {
    return this.#hasPower
  }

  get isPaused(): boolean {
    return this.#process?.clock.paused === true
  }

  facts(): MachineFacts {
    const { id, name, host } = this.spec
    return { name, uuid: id, macs: [`52:54:00:00:00:${id.slice(-2)}`], address: host }
  }

  /** Starts a process; it goes on until something ends it. */
  start(): void {
    assert(this.#hasPower && this.#process === undefined, 'one process runs at a time')
    const { network, board, crypto, timeline, memberSizes } = this.#around
    const clock = new SimulatedClock(network.time, this.#random.fork(), { rate: this.#clockRate })
    this.starts += 1
    clock.stepWall(this.#wallStepMs)
    const starting: SimulatedProcess = new SimulatedProcess({
      machine: this.spec,
      bootId: this.#bootId,
      disk: this.disk.mount(),
      memberSizes,
      clock,
      entropy: seededEntropy(this.#random.fork()),
      containers: connectEngine({
        engine: this.engine,
        heard: () => this.#heardBy(starting),
        onStop: (stop) => this.#around.onContainerStop({ ...stop, machine: this }),
      }),
      fencer: this.fencer.connect(
        clock,
        () => this.#heardBy(starting),
        () => starting.isAlive,
      ),
      board,
      crypto,
      featureLevel: this.featureLevel,
      loopDelayMs: () => this.loopDelayMs,
      agentMetrics: this.counters,
      log: this.#around.log(this),
      join: (disk) => this.#join(disk, starting),
      onServing: () => this.#around.onServing(),
      onEnd: (reason) => {
        if (this.#process !== starting) return
        timeline.note(this.name, `the process ends: ${reason}`)
        this.crash()
        network.time.after(restartAfterMs, () => this.startIfStopped())
      },
    })
    this.#process = starting
    starting.start()
  }

  startIfStopped(): void {
    if (this.#hasPower && this.#process === undefined) this.start()
  }

  /** As `systemctl stop` does; resolves when the process has ended. */
  async stop(): Promise<void> {
    const process = this.#process
    await process?.stop()
    if (this.#process === process) this.crash()
  }

  /** The process dies; kernel, disk and engine live on. */
  crash(): void {
    const process = this.#process
    if (process === undefined) return
    this.thaw()
    this.#around.onDeath(this)
    this.#process = undefined
    process.kill()
    this.disk.killProcess()
  }

  losePower(): void {
    assert(this.#hasPower, 'power is lost once')
    this.thaw()
    this.#hasPower = false
    this.#around.network.powerOff(this.host)
    this.#process?.vanish()
    this.#process = undefined
    this.disk.losePower()
    this.engine.powerOff()
    this.fencer.die()
  }

  /** Another disk is put in while the machine is off: no state, and no containers. */
  replaceDisk(): void {
    assert(!this.#hasPower, 'a disk is replaced while the machine is off')
    this.disk.wipe()
    for (const { id } of this.engine.all) this.engine.removeContainer(id)
  }

  gainPower(): void {
    assert(!this.#hasPower, 'the power was gone')
    this.#hasPower = true
    this.#bootId = toHex(this.#random.bytes(8))
    this.#around.network.powerOn(this.host)
    this.engine.restart()
    this.startIfStopped()
  }

  freeze(): void {
    if (this.#process === undefined || this.isPaused) return
    this.#process.clock.pause()
    this.#around.network.freeze(this.host)
  }

  thaw(): void {
    if (!this.isPaused) return
    this.#process?.clock.resume()
    this.#around.network.thaw(this.host)
    const waiting = this.#asleep
    this.#asleep = []
    for (const wake of waiting) this.#around.network.time.after(0, wake)
  }

  /** What the kernel has for a process that stands still waits for it. */
  #whenAwake(fire: () => void): void {
    if (this.isPaused) this.#asleep.push(fire)
    else fire()
  }

  #heardBy(process: SimulatedProcess): Promise<void> {
    return new Promise((resolve) => {
      this.#whenAwake(() => {
        if (process.isAlive) resolve()
      })
    })
  }

  /** Of processes that start later too. */
  setClockRate(rate: number): void {
    this.#clockRate = rate
    this.fencer.setRate(rate)
    this.#process?.clock.setRate(rate)
  }

  stepWall(byMs: number): void {
    this.#wallStepMs += byMs
    this.#process?.clock.stepWall(byMs)
  }

  /** The identity that the disk holds, or a new one from the cluster, however long it takes. */
  async #join(disk: Disk, process: SimulatedProcess): Promise<IdentityFiles> {
    const present = await readIdentity(disk)
    if (present !== undefined) return present
    const { crypto, network, timeline, doors, joinToken, machineAt } = this.#around
    const { clock, entropy } = process
    const https = simulatedHttps({
      host: this.host,
      alive: () => process.isAlive,
      clock,
      network,
      serverAt: (host) => machineAt(host)?.process?.server,
    })
    timeline.note(this.name, 'joins')
    const outcome = await joinWithToken({ https, crypto, clock, entropy }, joinToken(), {
      doors: doors(this).map((host) => ({ host, port: 7381 })),
      key: await loadOrMakeKey(disk, crypto),
      facts: this.facts(),
    })
    await writePeers(disk, outcome.peers)
    await writeIdentity(disk, outcome.files)
    timeline.note(this.name, 'has joined')
    return outcome.files
  }
}

/** For a machine's log lines that people should see in a timeline. */
export const describeFields = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .map(
      ([name, value]) => `${name}=${value instanceof Error ? describeError(value) : text(value)}`,
    )
    .join(' ')

const text = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
