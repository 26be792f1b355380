/**
 * What everything of a rack is called. All of it follows from the rack's name, so that a fresh
 * process can find, and take down, what another one left.
 */
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'

export const defaultRackName = 'jgd'
const stateRoot = '/var/tmp/jangada-rack'

/** The LAN of every rack. Racks cannot meet: each has a switch in a network namespace of its own. */
export const lanPrefix = '10.77.0'
export const lanPrefixBits = 24
/** The switch itself, also the hosts' default gateway. It forwards nothing: no packet leaves. */
export const gatewayAddress = `${lanPrefix}.254`
export const bridgeName = 'br0'

/** Hosts are numbered from 1, and the number is the last byte of the address. */
export const hostsMax = 99
export const blanksMax = 99

/**
 * A rack name has no `-`: `jgd-` is then the beginning of no other rack's names, and `down` of
 * one rack can never touch another.
 */
const rackNamePattern = /^[a-z][a-z0-9]{0,15}$/
/** With `p-` before it, a machine's name must fit the 15 bytes that Linux gives an interface. */
const machineNamePattern = /^[a-z][a-z0-9]{0,12}$/
/** The switch has a cgroup as the machines do. */
export const switchName = 'sw'

export function checkRackName(name: string): string {
  if (rackNamePattern.test(name)) return name
  throw new JangadaError('JGD_USAGE', `"${name}" cannot be the name of a rack`, {
    hint: 'Use 1 to 16 lower-case letters and digits, a letter first.',
  })
}

export function checkMachineName(name: string): string {
  if (machineNamePattern.test(name) && name !== switchName) return name
  throw new JangadaError('JGD_USAGE', `"${name}" cannot be the name of a machine in a rack`, {
    hint: 'Use 1 to 13 lower-case letters and digits, a letter first; "sw" is the switch.',
  })
}

export const defaultStateDir = (rack: string): string => path.join(stateRoot, rack)

/** The name of the cgroups that hold all processes of `machine`, or of the switch. */
export const cgroupName = (rack: string, machine: string): string => `${rack}-${machine}`
/** The port of `machine` on the switch. Lives in the switch's namespace only. */
export const portName = (machine: string): string => `p-${machine}`

export const hostAddress = (index: number): string => `${lanPrefix}.${index}`
const hexByte = (value: number): string => value.toString(16).padStart(2, '0')
export const hostMac = (index: number): string => `02:77:00:00:00:${hexByte(index)}`
export const blankMac = (index: number): string => `02:77:00:00:01:${hexByte(index)}`
/** The containers' bridge of a host; different on each, so that no two look alike in a log. */
export const containerBridge = (index: number): string => `10.88.${index}.1/24`

/** Where a rack keeps what. */
export function rackPaths(stateDir: string) {
  return {
    spec: path.join(stateDir, 'rack.json'),
    faults: path.join(stateDir, 'faults.json'),
    images: path.join(stateDir, 'images'),
    switch: path.join(stateDir, 'switch'),
    host: (name: string) => path.join(stateDir, 'hosts', name),
    blank: (name: string) => path.join(stateDir, 'blanks', name),
  }
}
