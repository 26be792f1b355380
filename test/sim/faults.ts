/** What goes wrong, by the seed. Each kind is counted when it begins. */
import { assertNever } from '../../src/base/assert.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { SimulatedMachine } from './machine.ts'
import { MemberLosses } from './member-losses.ts'
import type { World } from './world.ts'

export const faultKinds = [
  'process crash',
  'power loss',
  'wiped disk',
  'failed sync',
  'stalled disk',
  'partition',
  'one-way cut',
  'packet loss',
  'slow network',
  'process pause',
  'engine down',
  'container killed',
  'clock step',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** A seed has some of them, so that some meet that otherwise drown in others. */
const kindsPerSeed = { min: 3, max: faultKinds.length }
/** Time from one fault to the next. */
const calmMsMax = 2500
const secondMs = 1000
const hourMs = 3_600_000

export class Faults {
  readonly counts = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]))
  readonly #world: World
  readonly #random: SeededRandom
  readonly #kinds: readonly FaultKind[]
  readonly #losses: MemberLosses
  #isStopped = false

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork()
    this.#losses = new MemberLosses(world)
    const count = this.#random.integer(kindsPerSeed.min, kindsPerSeed.max)
    this.#kinds = this.#random.shuffle(faultKinds).slice(0, count)
  }

  start(): void {
    this.#world.timeline.note('faults', `of this seed: ${this.#kinds.join(', ')}`)
    this.#next()
  }

  /** Nothing new goes wrong, and what is wrong is put right. */
  healAll(): void {
    const { machines, network, timeline } = this.#world
    this.#isStopped = true
    timeline.note('faults', 'everything is healed')
    network.healAll()
    for (const machine of machines) {
      machine.disk.faults.stalledSync = 0
      machine.disk.faults.failedSync = 0
      machine.thaw()
      machine.engine.restart()
      if (!machine.hasPower) machine.gainPower()
      machine.startIfStopped()
    }
  }

  #next(): void {
    this.#world.time.after(this.#random.fraction() * calmMsMax, () => {
      if (this.#isStopped) return
      const kind = this.#random.pick(this.#kinds)
      const machine = this.#random.pick(this.#world.machines)
      if (this.#happens(kind, machine)) {
        this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
      }
      this.#next()
    })
  }

  /** False when it cannot happen now. */
  #happens(kind: FaultKind, machine: SimulatedMachine): boolean {
    switch (kind) {
      case 'process crash':
        return this.#crash(machine)
      case 'power loss':
        return this.#losePower(machine, false)
      case 'wiped disk':
        return this.#losses.maySpare(machine) && this.#losePower(machine, true)
      case 'failed sync':
        return this.#losses.maySpare(machine) && this.#failSync(machine)
      case 'stalled disk':
        return this.#stallDisk(machine)
      case 'partition':
        return this.#cut(true)
      case 'one-way cut':
        return this.#cut(false)
      case 'packet loss':
        return this.#worsen({ lossProbability: 0.02 + 0.4 * this.#random.fraction() })
      case 'slow network':
        return this.#worsen({ delayMsMax: 2 + 100 * this.#random.fraction() ** 2 })
      case 'process pause':
        return this.#pause(machine)
      case 'engine down':
        return this.#stopEngine(machine)
      case 'container killed':
        return this.#killContainer(machine)
      case 'clock step':
        return this.#stepClock(machine)
      default:
        return assertNever(kind)
    }
  }

  #crash(machine: SimulatedMachine): boolean {
    if (machine.process === undefined) return false
    this.#tell(machine, 'its process is killed')
    machine.crash()
    this.#later(5 * secondMs, () => machine.startIfStopped())
    return true
  }

  #losePower(machine: SimulatedMachine, isWiped: boolean): boolean {
    if (!machine.hasPower) return false
    this.#tell(machine, isWiped ? 'loses power, and its disk' : 'loses power')
    if (isWiped) this.#losses.note(machine)
    machine.losePower()
    if (isWiped) machine.replaceDisk()
    this.#later(8 * secondMs, () => {
      if (machine.hasPower) return
      this.#tell(machine, 'has power again')
      machine.gainPower()
    })
    return true
  }

  /** The next sync fails, whose ever it is; a log that fails costs the machine its member. */
  #failSync(machine: SimulatedMachine): boolean {
    if (machine.process === undefined) return false
    this.#tell(machine, 'a sync of its disk will fail')
    this.#losses.note(machine)
    machine.disk.faults.failedSync = 1
    const { failedSyncs } = machine.disk.counts
    const look = (): void => {
      if (machine.disk.counts.failedSyncs > failedSyncs) machine.disk.faults.failedSync = 0
      else if (machine.disk.faults.failedSync > 0) this.#world.time.after(2, look)
    }
    look()
    return true
  }

  #stallDisk(machine: SimulatedMachine): boolean {
    this.#tell(machine, 'its disk stalls')
    machine.disk.faults.stalledSync = 0.1 + 0.5 * this.#random.fraction()
    this.#later(4 * secondMs, () => {
      machine.disk.faults.stalledSync = 0
    })
    return true
  }

  #cut(isBothWays: boolean): boolean {
    const { machines, network, timeline } = this.#world
    const mixed = this.#random.shuffle(machines)
    const size = this.#random.integer(1, machines.length - 1)
    const side = mixed.slice(0, size)
    const other = mixed.slice(size)
    const names = (of: readonly SimulatedMachine[]): string => of.map(({ name }) => name).join(' ')
    timeline.note('network', `cut: ${names(side)} ${isBothWays ? '|' : '→'} ${names(other)}`)
    const paths: [string, string][] = []
    for (const a of side) {
      for (const b of other) {
        paths.push([a.host, b.host])
        if (isBothWays) paths.push([b.host, a.host])
      }
    }
    for (const [from, to] of paths) network.cut(from, to)
    this.#later(8 * secondMs, () => {
      timeline.note('network', `healed: ${names(side)} and ${names(other)}`)
      for (const [from, to] of paths) network.heal(from, to)
    })
    return true
  }

  #worsen(quality: { lossProbability: number } | { delayMsMax: number }): boolean {
    const { network, timeline } = this.#world
    const paths = this.#world.machines.flatMap((a) =>
      this.#world.machines.filter((b) => b !== a).map((b) => [a.host, b.host] as const),
    )
    const worse = paths.filter(() => this.#random.chance(0.5))
    timeline.note('network', `${worse.length} paths get ${JSON.stringify(quality)}`)
    for (const [from, to] of worse) network.setQuality(from, to, quality)
    this.#later(6 * secondMs, () => {
      const usual = 'lossProbability' in quality ? { lossProbability: 0 } : { delayMsMax: 0.3 }
      for (const [from, to] of worse) network.setQuality(from, to, usual)
    })
    return true
  }

  #pause(machine: SimulatedMachine): boolean {
    if (machine.process === undefined || machine.isPaused) return false
    this.#tell(machine, 'its process stands still')
    machine.freeze()
    this.#later(4 * secondMs, () => machine.thaw())
    return true
  }

  #stopEngine(machine: SimulatedMachine): boolean {
    if (!machine.hasPower) return false
    this.#tell(machine, 'its container engine goes down')
    machine.engine.crash()
    this.#later(6 * secondMs, () => {
      if (machine.hasPower) machine.engine.restart()
    })
    return true
  }

  #killContainer(machine: SimulatedMachine): boolean {
    const { running } = machine.engine
    if (running.length === 0) return false
    const { id, name } = this.#random.pick(running)
    this.#tell(machine, `container ${name} is killed`)
    machine.engine.killContainer(id)
    return true
  }

  #stepClock(machine: SimulatedMachine): boolean {
    const byMs = Math.round((2 * this.#random.fraction() - 1) * hourMs)
    this.#tell(machine, `its clock is set ${byMs} ms on`)
    machine.stepWall(byMs)
    return true
  }

  #tell(machine: SimulatedMachine, what: string): void {
    this.#world.timeline.note(machine.name, `FAULT ${what}`)
  }

  /** Unless everything was healed before. */
  #later(msMax: number, end: () => void): void {
    this.#world.time.after(50 + this.#random.fraction() ** 2 * msMax, () => {
      if (!this.#isStopped) end()
    })
  }
}
