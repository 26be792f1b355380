/** What to boot a machine with, matched by MAC, UUID or labels. */
import type { Platform } from '../dhcp/client.ts'
import { sameMachineUuid } from '../hardware.ts'
import type { Mac, Uuid } from '../hardware.ts'

export interface Profile {
  readonly name: string
  readonly match: ProfileMatch
  /** The system image, by the name in its manifest. */
  readonly image: string
  /** Kernel arguments beside our own; see `isKernelArgument`. */
  readonly kernelArguments: readonly string[]
  /** The kernel's console, as in `console=`: the last one gets init's output. */
  readonly console: string
  readonly loaders: Loaders
}

/** A loader's name: one path component, as `/boot/NAME` and over TFTP. */
export type AssetName = string

/** The iPXE build for each platform; a platform without one is not booted. */
export type Loaders = Readonly<Partial<Record<Platform, AssetName>>>

/**
 * Every list that is not empty must hold the machine's own value; every label must be equal. A
 * match with nothing in it matches every machine.
 */
export interface ProfileMatch {
  readonly macs: readonly Mac[]
  readonly uuids: readonly Uuid[]
  readonly labels: Readonly<Record<string, string>>
}

export interface BootingMachine {
  readonly mac: Mac
  readonly uuid: Uuid | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** Debian's iPXE package carries builds for BIOS and UEFI on x64. */
export const debianLoaders: Loaders = { bios: 'undionly.kpxe', 'uefi-x64': 'snponly.efi' }

/** Used when no profile matches: our system image, on the first serial port. */
export const defaultProfile: Profile = {
  name: 'default',
  match: { macs: [], uuids: [], labels: {} },
  image: 'jangada',
  kernelArguments: [],
  console: 'ttyS0',
  loaders: debianLoaders,
}

/**
 * One word that neither iPXE's command line nor its settings reinterpret, and none of the
 * arguments that are ours to say.
 */
export const isKernelArgument = (text: string): boolean =>
  /^[0-9A-Za-z][!%()*+,./0-9:<=>?@A-Z[\]^_a-z~-]{0,255}$/.test(text) && !text.startsWith('jangada.')

/** One path component that a URL and a TFTP request spell alike. */
export const isAssetName = (text: string): boolean => /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/.test(text)

/**
 * The most specific match (a UUID before a MAC before labels, more labels before fewer), then the
 * first by name: so the answer does not depend on the order in which profiles are stored.
 */
export function selectProfile(profiles: readonly Profile[], machine: BootingMachine): Profile {
  let best: Profile | undefined
  for (const profile of profiles) {
    if (!matches(profile.match, machine)) continue
    if (best === undefined || precedes(profile, best)) best = profile
  }
  return best ?? defaultProfile
}

function matches(match: ProfileMatch, machine: BootingMachine): boolean {
  const { mac, uuid, labels } = machine
  if (match.macs.length > 0 && !match.macs.includes(mac)) return false
  if (match.uuids.length > 0) {
    if (uuid === undefined || !match.uuids.some((one) => sameMachineUuid(one, uuid))) return false
  }
  return Object.entries(match.labels).every(([key, value]) => labels[key] === value)
}

function precedes(a: Profile, b: Profile): boolean {
  const byUuid = Number(b.match.uuids.length > 0) - Number(a.match.uuids.length > 0)
  const byMac = Number(b.match.macs.length > 0) - Number(a.match.macs.length > 0)
  const byLabels = Object.keys(b.match.labels).length - Object.keys(a.match.labels).length
  const order = byUuid || byMac || byLabels
  return order === 0 ? a.name < b.name : order < 0
}
