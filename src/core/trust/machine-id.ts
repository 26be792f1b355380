/**
 * A machine's stable id: its SMBIOS UUID unless that is junk, else its lowest permanent MAC
 * address. Boards leave factories with zeros, ones, or the BIOS vendor's sample in that field,
 * and some makers write one UUID into a whole batch, so a machine has up to two candidates.
 */
import { machineId, type MachineId } from '../../base/ids.ts'

export interface HardwareFacts {
  /** As the firmware or the kernel tells it, in any case, with dashes or without. */
  readonly smbiosUuid: string | undefined
  /** Permanent MAC addresses, lower-case with colons. */
  readonly macs: readonly string[]
}

/** `jangadamac` in hex: an id made from a MAC address says so, and never equals a UUID's. */
const macTag = '6a616e676164616d6163'

/** UUIDs that BIOS vendors ship as samples, or make from an empty service tag. */
const vendorDefaults: ReadonlySet<string> = new Set([
  // American Megatrends' sample, in both byte orders.
  '03000200040005000006000700080009',
  '00020003000400050006000700080009',
  // Counting and typed-in samples.
  '000102030405060708090a0b0c0d0e0f',
  '12345678123456781234567812345678',
  '123456781234567890abcddeefaabbcc',
  '12345678123412341234123456789abc',
  // Dell's `DELL` or `LLED` with an empty service tag.
  '4c4c454400002010802080c04f202020',
  '4c4c4544002020108020a0c04f202020',
  '44454c4c00001020802080c04f202020',
  '44454c4c20001020802080c04f202020',
])

/** The UUID as 32 lower-case hex digits, or undefined when it is malformed or junk. */
export function usableUuid(text: string | undefined): string | undefined {
  const hex = text?.trim().toLowerCase().replaceAll('-', '') ?? ''
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined
  // One byte repeated: zeros, ones, and the fillers of emulators and unwritten flash.
  if (/^(..)\1{15}$/.test(hex)) return undefined
  return vendorDefaults.has(hex) ? undefined : hex
}

/** The lowest of the addresses that can be a machine's own, or undefined. */
export function lowestMac(macs: readonly string[]): string | undefined {
  return macs.filter(isOwnMac).toSorted()[0]
}

/** A unicast address other than zero. Locally administered ones count: virtual machines' are. */
function isOwnMac(mac: string): boolean {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return false
  const group = (parseInt(mac.slice(0, 2), 16) & 1) === 1
  return !group && mac !== '00:00:00:00:00:00'
}

/**
 * The ids this hardware may go by, best first; empty when it has neither. Whoever admits takes
 * the second only when the first belongs to other hardware.
 */
export function machineIdCandidates(facts: HardwareFacts): readonly MachineId[] {
  const candidates: MachineId[] = []
  const uuid = usableUuid(facts.smbiosUuid)
  if (uuid !== undefined) candidates.push(machineId(uuid))
  const mac = lowestMac(facts.macs)
  if (mac !== undefined) candidates.push(machineId(macTag + mac.replaceAll(':', '')))
  return candidates
}
