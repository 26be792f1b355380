/**
 * The rack's LAN: a bridge in a network namespace of its own. The namespace is held by one
 * sleeping process and by nothing else, so that no mount and no name of it can stay behind.
 */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type CgroupLayout, cgroupDirs, createCgroups, joining } from './cgroups.ts'
import {
  bridgeName,
  cgroupName,
  gatewayAddress,
  lanPrefixBits,
  portName,
  switchName,
} from './names.ts'
import { type ProcessRef, must, namespaceOf, run, startDetached } from './processes.ts'
import { type RackWorld, until } from './world.ts'

const switchTimeoutMs = 10_000

/** Starts the switch. Its process is in the cgroup RACK-sw. */
export async function switchUp(
  world: RackWorld,
  layout: CgroupLayout,
  rack: string,
  directory: string,
): Promise<ProcessRef> {
  const cgroup = cgroupName(rack, switchName)
  await mkdir(directory, { recursive: true })
  await createCgroups(layout, cgroup)
  const argv = joining(cgroupDirs(layout, cgroup), ['unshare', '--net', '--', 'sleep', 'infinity'])
  const process = await startDetached(argv, path.join(directory, 'log'))
  const ours = await namespaceOf(globalThis.process.pid, 'net')
  await until(
    world.clock,
    { what: 'the switch has a network namespace', timeoutMs: switchTimeoutMs, pollMs: 2 },
    async () => {
      const its = await namespaceOf(process.pid, 'net')
      return its !== undefined && its !== ours ? true : undefined
    },
  )
  // Snooping off: a switch that learns multicast groups forgets them without a querier.
  await ip(process.pid, [
    'link set lo up',
    `link add ${bridgeName} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `address add ${gatewayAddress}/${lanPrefixBits} dev ${bridgeName}`,
    `link set ${bridgeName} up`,
  ])
  return process
}

/** Runs lines of `ip` in the network namespace of `pid`, all or up to the first that fails. */
export async function ip(pid: number, lines: readonly string[]): Promise<void> {
  await must([...inNetwork(pid), 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

export const inNetwork = (pid: number): string[] => ['nsenter', '-t', String(pid), '--net', '--']

/** Plugs a cable between the switch and the host whose init is `hostPid`. */
export async function plugHost(
  switchPid: number,
  hostPid: number,
  host: { readonly name: string; readonly address: string; readonly mac: string },
): Promise<void> {
  const port = portName(host.name)
  await ip(switchPid, [
    `link add ${port} type veth peer name eth0 address ${host.mac} netns ${hostPid}`,
    `link set ${port} master ${bridgeName} up`,
  ])
  await ip(hostPid, [
    'link set lo up',
    'link set eth0 up',
    `address add ${host.address}/${lanPrefixBits} broadcast + dev eth0`,
    `route add default via ${gatewayAddress}`,
  ])
}

/** The port of a virtual machine. */
export async function addTap(switchPid: number, machine: string): Promise<void> {
  const port = portName(machine)
  await ip(switchPid, [`tuntap add ${port} mode tap`, `link set ${port} master ${bridgeName} up`])
}

/**
 * Down: nothing passes, and a host sees that it has no carrier. The firmware of a virtual machine
 * does not see it: to it the network is silent.
 */
export async function setPort(switchPid: number, machine: string, up: boolean): Promise<void> {
  await ip(switchPid, [`link set ${portName(machine)} ${up ? 'up' : 'down'}`])
}

/** With a host's port goes its eth0. A port that is not there is fine. */
export async function removePort(switchPid: number, machine: string): Promise<void> {
  await run([...inNetwork(switchPid), 'ip', 'link', 'delete', portName(machine)])
}

/** The ports that are there, and whether they are up. */
export async function readPorts(switchPid: number): Promise<ReadonlyMap<string, boolean>> {
  const text = await must([...inNetwork(switchPid), 'ip', '-json', 'link', 'show'])
  const links = JSON.parse(text) as { ifname: string; flags: string[] }[]
  return new Map(links.map(({ ifname, flags }) => [ifname, flags.includes('UP')]))
}
