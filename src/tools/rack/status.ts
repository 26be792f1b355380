/** How the machines of a rack stand, for people and for checks from outside. */
import { type CgroupLayout, isFrozen } from './cgroups.ts'
import { engineInfo } from './engine.ts'
import { serialLog } from './blank.ts'
import { cgroupName, portName, rackPaths } from './names.ts'
import { readPorts } from './network.ts'
import { isAlive, namespaceOf } from './processes.ts'
import { type BlankSpec, type HostSpec, type RackSpec, readBoot } from './spec.ts'
import { orUndefined } from './world.ts'

export type PowerState = 'running' | 'frozen' | 'off'
export type LinkState = 'up' | 'cut' | 'none'

export interface HostStatus {
  readonly name: string
  readonly state: PowerState
  readonly link: LinkState
  readonly address: string
  readonly mac: string
  readonly uuid: string
  /** As seen from outside; null when the host is off. */
  readonly initPid: number | null
  /** The kernel's name of the network namespace, `net:[…]`. */
  readonly netns: string | null
  /** Null when the engine does not answer. */
  readonly engineId: string | null
}

export interface BlankStatus {
  readonly name: string
  readonly state: PowerState
  readonly link: LinkState
  readonly mac: string
  readonly uuid: string
  readonly qemuPid: number | null
  readonly serialLog: string
}

export interface RackStatus {
  readonly name: string
  readonly stateDir: string
  readonly switchPid: number
  readonly hosts: readonly HostStatus[]
  readonly blanks: readonly BlankStatus[]
}

export async function readStatus(layout: CgroupLayout, rack: RackSpec): Promise<RackStatus> {
  const ports = (await orUndefined(readPorts(rack.switch.pid))) ?? new Map<string, boolean>()
  const [hosts, blanks] = await Promise.all([
    Promise.all(rack.hosts.map((host) => hostStatus(layout, rack, host, ports))),
    Promise.all(rack.blanks.map((blank) => blankStatus(layout, rack, blank, ports))),
  ])
  const { name, stateDir } = rack
  return { name, stateDir, switchPid: rack.switch.pid, hosts, blanks }
}

type Ports = ReadonlyMap<string, boolean>

function linkState(ports: Ports, machine: string): LinkState {
  const up = ports.get(portName(machine))
  return up === undefined ? 'none' : up ? 'up' : 'cut'
}

async function power(
  layout: CgroupLayout,
  rack: RackSpec,
  machine: string,
  directory: string,
): Promise<{ state: PowerState; pid: number | null }> {
  const init = (await readBoot(directory))?.init
  if (init === undefined || !(await isAlive(init))) return { state: 'off', pid: null }
  const frozen = await isFrozen(layout, cgroupName(rack.name, machine))
  return { state: frozen ? 'frozen' : 'running', pid: init.pid }
}

async function hostStatus(
  layout: CgroupLayout,
  rack: RackSpec,
  host: HostSpec,
  ports: Ports,
): Promise<HostStatus> {
  const { name, address, mac, uuid } = host
  const { state, pid } = await power(layout, rack, name, rackPaths(rack.stateDir).host(name))
  const asked = pid !== null && state === 'running' ? engineInfo(pid) : undefined
  const engine = asked === undefined ? undefined : await orUndefined(asked)
  return {
    name,
    state,
    link: linkState(ports, name),
    address,
    mac,
    uuid,
    initPid: pid,
    netns: pid === null ? null : ((await namespaceOf(pid, 'net')) ?? null),
    engineId: engine?.name === name ? engine.id : null,
  }
}

async function blankStatus(
  layout: CgroupLayout,
  rack: RackSpec,
  blank: BlankSpec,
  ports: Ports,
): Promise<BlankStatus> {
  const { name, mac, uuid } = blank
  const { state, pid } = await power(layout, rack, name, rackPaths(rack.stateDir).blank(name))
  const link = linkState(ports, name)
  return { name, state, link, mac, uuid, qemuPid: pid, serialLog: serialLog(rack, name) }
}
