/**
 * A rack that is up, and what can be done to its machines. Nothing is remembered here: every
 * operation looks at the files and processes, so that any process may go on with a rack that
 * another one started.
 */
import { access, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'
import { serialLog, startBlank } from './blank.ts'
import { type CgroupLayout, isFrozen, killAll, setFrozen } from './cgroups.ts'
import { type EngineInfo, loadImage } from './engine.ts'
import { type Faults, applyFaults, healed, noFaults, withLoss, withPartition } from './faults.ts'
import { engineReady, execIn, ownDaemonSettings, startHost } from './host.ts'
import { type HostStatus, type RackStatus, readStatus } from './status.ts'
import { tail } from './logs.ts'
import { cgroupName, rackPaths } from './names.ts'
import { removePort, setPort } from './network.ts'
import { endOf, type ProcessRef, type RunOptions, type RunResult, isAlive } from './processes.ts'
import * as services from './services.ts'
import type { BlankSpec, HostSpec, MachineSpec, RackSpec } from './spec.ts'
import { readBoot, readJson, writeJson } from './spec.ts'
import { rackError, type RackWorld } from './world.ts'

export interface PowerCut {
  /** On the world's monotonic clock: the switch port was down, no peer hears anything from here. */
  readonly cutAtMs: number
  /** All processes of the machine were dead. */
  readonly deadAtMs: number
}

const logLinesDefault = 200

export class Rack {
  readonly spec: RackSpec
  readonly #world: RackWorld
  readonly #layout: CgroupLayout
  /** Resolves when the last change of the faults that was asked for here is done. */
  #faultsChanged: Promise<void> = Promise.resolve()

  /** Use `rackUp` or `openRack`. */
  constructor(world: RackWorld, layout: CgroupLayout, spec: RackSpec) {
    this.#world = world
    this.#layout = layout
    this.spec = spec
  }

  get clock() {
    return this.#world.clock
  }

  get log() {
    return this.#world.log
  }

  /** Throws `JGD_NOT_FOUND` for a name that is not in the rack. */
  machine(name: string): MachineSpec {
    const all = [...this.spec.hosts, ...this.spec.blanks]
    const found = all.find((machine) => machine.name === name)
    if (found !== undefined) return found
    throw new JangadaError('JGD_NOT_FOUND', `there is no machine "${name}" in this rack`, {
      hint: `It has ${all.map((machine) => machine.name).join(', ')}.`,
    })
  }

  host(name: string): HostSpec {
    const machine = this.machine(name)
    if (machine.kind === 'host') return machine
    throw new JangadaError('JGD_USAGE', `"${name}" is a virtual machine, not a host`, {
      hint: 'It can be cut, frozen and switched off; reach into it through the cluster.',
    })
  }

  ls(): Promise<RackStatus> {
    return readStatus(this.#layout, this.spec)
  }

  async status(host: string): Promise<HostStatus> {
    const { hosts } = await this.ls()
    const name = this.host(host).name
    return hosts.find((status) => status.name === name) as HostStatus
  }

  /** The host's PID 1 as seen from outside: the way to its files and sockets. */
  async initPid(name: string): Promise<number> {
    return (await this.#running(this.host(name))).pid
  }

  // Power

  /** Switches a host on and waits for its engine. A host that is on already is left alone. */
  async hostUp(name: string): Promise<EngineInfo> {
    const host = this.host(name)
    const init = (await this.#init(host)) ?? (await this.#start(host))
    return engineReady(this.#world, this.spec, host, init)
  }

  async #start(host: HostSpec): Promise<ProcessRef> {
    // It may have died by itself, and then its port is there until the kernel has cleaned up.
    await killAll(this.#world, this.#layout, cgroupName(this.spec.name, host.name))
    await removePort(this.spec.switch.pid, host.name)
    return startHost(this.#world, this.#layout, this.spec, host)
  }

  /** Switches a virtual machine on; returns when its firmware runs. */
  async blankUp(name: string): Promise<void> {
    const machine = this.machine(name)
    if (machine.kind !== 'blank') {
      throw new JangadaError('JGD_USAGE', `"${name}" is a host`, { hint: 'Use power-on.' })
    }
    if ((await this.#init(machine)) !== undefined) return
    await startBlank(this.#world, this.#layout, this.spec, machine)
  }

  async powerOn(name: string): Promise<void> {
    if (this.machine(name).kind === 'blank') await this.blankUp(name)
    else await this.hostUp(name)
  }

  /**
   * A power cut. The switch port goes down first: a dying kernel says FIN or RST to its peers, a
   * machine without power does not. Works on a frozen machine too.
   */
  async powerOff(name: string, onCut?: (atMs: number) => void): Promise<PowerCut> {
    const machine = this.machine(name)
    const init = await this.#init(machine)
    if (init !== undefined) await setPort(this.spec.switch.pid, name, false)
    const cutAtMs = this.clock.monotonicMs()
    onCut?.(cutAtMs)
    await killAll(this.#world, this.#layout, cgroupName(this.spec.name, name), init)
    const deadAtMs = this.clock.monotonicMs()
    await removePort(this.spec.switch.pid, name)
    await rm(path.join(this.#directory(machine), 'boot.json'), { force: true })
    return { cutAtMs, deadAtMs }
  }

  /** The same cut; a host has no gentler way down, as a real one may not have. */
  async hostDown(name: string): Promise<void> {
    await this.powerOff(this.host(name).name)
  }

  async blankDown(name: string): Promise<void> {
    await this.powerOff(name)
  }

  /** Everything on the machine stands still; its kernel still answers pings and accepts. */
  async freeze(name: string): Promise<void> {
    await this.#running(this.machine(name))
    await setFrozen(this.#world, this.#layout, cgroupName(this.spec.name, name), true)
  }

  async thaw(name: string): Promise<void> {
    await this.#running(this.machine(name))
    await setFrozen(this.#world, this.#layout, cgroupName(this.spec.name, name), false)
  }

  // Network

  /** Pulls the cable out of the switch. */
  async cut(name: string): Promise<void> {
    await this.#running(this.machine(name))
    await setPort(this.spec.switch.pid, name, false)
  }

  /** Plugs the cable in again. */
  async join(name: string): Promise<void> {
    await this.#running(this.machine(name))
    await setPort(this.spec.switch.pid, name, true)
  }

  /** Ends every network fault of one machine, or of all when no name is given. */
  async heal(name?: string): Promise<void> {
    const names = name === undefined ? this.#names() : [this.machine(name).name]
    await this.#changeFaults((faults) => names.reduce(healed, faults))
    for (const each of names) {
      if ((await this.#init(this.machine(each))) === undefined) continue
      await setPort(this.spec.switch.pid, each, true)
    }
  }

  /** Loses `percent` of the machine's packets, each direction on its own. 0 ends it. */
  async loss(name: string, percent: number): Promise<void> {
    const machine = this.machine(name)
    await this.#changeFaults((faults) => withLoss(faults, machine.name, percent))
  }

  /** What `from` send does not reach `to`, and with `both` the other way too. Adds to others. */
  async partition(
    from: readonly string[],
    to: readonly string[],
    direction: 'one-way' | 'both' = 'both',
  ): Promise<void> {
    for (const name of [...from, ...to]) this.machine(name)
    await this.#changeFaults((faults) => withPartition(faults, from, to, direction))
  }

  // Inside a host

  /** Runs a program on the host as root. A code other than 0 is an answer, not an error. */
  async exec(name: string, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const host = this.host(name)
    const init = await this.#running(host)
    if (await isFrozen(this.#layout, cgroupName(this.spec.name, name))) {
      throw new JangadaError('JGD_RACK', `${name} is frozen, and whatever runs in it is too`, {
        hint: `jangada rack thaw ${name}`,
      })
    }
    return execIn(this.#layout, this.spec, host, init, argv, options)
  }

  /** As `exec`, but throws `JGD_RACK` unless the code is 0. Returns what was printed. */
  async sh(name: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.exec(name, argv, options)
    const { code, stdout, stderr } = result
    if (code === 0) return stdout
    const said = (stderr.trim() || stdout.trim()).slice(-2000)
    throw rackError(`on ${name}: ${argv.join(' ')}: ${endOf(result)}${said && `: ${said}`}`)
  }

  /** See `services.startService`. The service also starts whenever the host is switched on. */
  async startService(name: string, service: string, argv: readonly string[]): Promise<void> {
    await services.startService(this.#world, await this.#runningHost(name), service, argv)
  }

  async stopService(
    name: string,
    service: string,
    options?: Parameters<typeof services.stopService>[3],
  ): Promise<void> {
    await services.stopService(this.#world, await this.#runningHost(name), service, options)
  }

  async signalService(
    name: string,
    service: string,
    signal: services.ServiceSignal,
  ): Promise<void> {
    await services.signalService(await this.#runningHost(name), service, signal)
  }

  /** The service's process as the host numbers it. */
  async servicePid(name: string, service: string): Promise<number | undefined> {
    return services.servicePid(await this.#runningHost(name), service)
  }

  /** What the host's engine is set to from its next start on, beside what all are: as in `daemon.json`. */
  async setEngine(name: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    const file = path.join(this.#directory(this.host(name)), ownDaemonSettings)
    await writeFile(file, JSON.stringify(settings))
  }

  /** `docker load` on one host, which keeps the image over power cuts. */
  async loadImage(name: string, tarFile: string): Promise<void> {
    await loadImage((await this.#running(this.host(name))).pid, tarFile)
  }

  /**
   * The last lines of a machine's log: a host's `init`, `containerd`, `dockerd` or service, by
   * default `jangada`; a virtual machine's serial line.
   */
  async logs(name: string, service = 'jangada', lines = logLinesDefault): Promise<string> {
    const machine = this.machine(name)
    if (machine.kind === 'blank') return tail(serialLog(this.spec, name), lines)
    const log = services.serviceLog(this.#directory(machine), service)
    const isThere = await access(log).then(
      () => true,
      () => false,
    )
    if (isThere) return tail(log, lines)
    const names = await readdir(path.dirname(log)).catch(() => [])
    throw rackError(`${name} has no service ${service}`, `It has ${names.join(', ')}.`)
  }

  // How things stand

  #names(): string[] {
    return [...this.spec.hosts, ...this.spec.blanks].map(({ name }) => name)
  }

  #directory(machine: HostSpec | BlankSpec): string {
    const paths = rackPaths(this.spec.stateDir)
    return machine.kind === 'host' ? paths.host(machine.name) : paths.blank(machine.name)
  }

  async #init(machine: MachineSpec): Promise<ProcessRef | undefined> {
    const init = (await readBoot(this.#directory(machine)))?.init
    return (await isAlive(init)) ? init : undefined
  }

  async #running(machine: MachineSpec): Promise<ProcessRef> {
    const init = await this.#init(machine)
    if (init !== undefined) return init
    throw new JangadaError('JGD_RACK', `${machine.name} is off`, {
      hint: `jangada rack power-on ${machine.name}`,
    })
  }

  async #runningHost(name: string): Promise<services.RunningHost> {
    const host = this.host(name)
    return { name, directory: this.#directory(host), init: await this.#running(host) }
  }

  /** One at a time: each change is made to the outcome of the one before. */
  #changeFaults(change: (faults: Faults) => Faults): Promise<void> {
    const work = async (): Promise<void> => {
      const file = rackPaths(this.spec.stateDir).faults
      const faults = change((await readJson<Faults>(file)) ?? noFaults)
      await applyFaults(this.spec.switch.pid, faults)
      await writeJson(file, faults)
    }
    const done = this.#faultsChanged.then(work)
    this.#faultsChanged = done.catch(() => undefined)
    return done
  }
}
