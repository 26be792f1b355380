/** What the machine's kernel and firmware tell about it, behind `ports/Host`. */
import { readdirSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { JangadaError } from '../base/errors.ts'
import type { Host, HostFacts } from '../ports/host.ts'

export interface HostOptions {
  /** Called before the process ends, to flush the log; must not throw. */
  readonly beforeExit?: (code: number, reason: string) => void
}

export function systemHost(options: HostOptions = {}): Host {
  return {
    hostname: () => os.hostname(),
    facts: () => readHostFacts('/'),
    readTextFile,
    exit: (code, reason) => {
      options.beforeExit?.(code, reason)
      process.exit(code)
    },
  }
}

/** Ahead of what the machine runs for others; the highest is left to the kernel's own threads. */
const urgentPriority = -14

/**
 * Lets this process run before containers when the processor is short: a pulse or a heartbeat
 * that comes late looks like a death. False when the system does not allow it.
 *
 * Each thread has a priority of its own, and the engine's were there before: the main thread waits
 * for them in every collection of garbage, and for seconds if they stand behind everybody else.
 */
export function hurry(): boolean {
  // The main thread's number is the process's.
  if (!raise(process.pid)) return false
  for (const thread of readdirSync('/proc/self/task')) raise(Number(thread))
  return true
}

/** False when that is not allowed, or the thread has ended. */
function raise(thread: number): boolean {
  try {
    os.setPriority(thread, urgentPriority)
    return true
  } catch {
    return false
  }
}

async function readTextFile(file: string, bytesMax: number): Promise<string | null> {
  try {
    const handle = await open(file)
    try {
      // One byte more than allowed shows a file that is too long, also one that lies about its size.
      const buffer = Buffer.alloc(bytesMax + 1)
      let length = 0
      while (length <= bytesMax) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      if (length <= bytesMax) return buffer.toString('utf8', 0, length)
    } finally {
      await handle.close()
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new JangadaError('JGD_NOT_FOUND', `${file} cannot be read: ${code}`, { cause: error })
  }
  throw new JangadaError('JGD_TOO_LARGE', `${file} has more than ${bytesMax} bytes`)
}

/** `root` is `/`, or a directory with a `sys` and a `proc` in it. Missing files are missing facts. */
export async function readHostFacts(root: string): Promise<HostFacts> {
  const at = (name: string): string => path.join(root, name)
  const smbiosUuid = await firstLine(at('sys/class/dmi/id/product_uuid'))
  return {
    smbiosUuid: smbiosUuid === '' ? undefined : smbiosUuid?.toLowerCase(),
    macs: await readMacs(at('sys/class/net')),
    bootId: (await firstLine(at('proc/sys/kernel/random/boot_id'))) ?? '',
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: (await firstLine(at('proc/sys/kernel/osrelease'))) ?? os.release(),
    cgroupVersion: (await isThere(at('sys/fs/cgroup/cgroup.controllers'))) ? 2 : 1,
  }
}

interface Interface {
  readonly mac: string
  /** It has a device behind it: a card, or a virtual machine's. */
  readonly hardware: boolean
  /** `addr_assign_type` of the kernel: 0 permanent, 1 random, 2 stolen, 3 set by someone. */
  readonly assignType: string
  /** A bridge or a bond, or a port of one. */
  readonly composed: boolean
}

/**
 * Cards with their permanent address. A host in a network namespace has no card; there the
 * addresses that someone set on purpose are as stable, while random ones change at every start.
 */
async function readMacs(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  const interfaces = await Promise.all(
    names.map((name) => readInterface(path.join(directory, name))),
  )
  const usable = interfaces.filter(({ mac }) => isMac(mac))
  const cards = usable.filter(({ hardware, assignType }) => hardware && assignType === '0')
  const set = usable.filter(({ assignType, composed }) => assignType === '3' && !composed)
  const chosen = cards.length > 0 ? cards : set
  return [...new Set(chosen.map(({ mac }) => mac))].toSorted()
}

async function readInterface(directory: string): Promise<Interface> {
  const at = (name: string): string => path.join(directory, name)
  const [mac, assignType, hardware, ...composed] = await Promise.all([
    firstLine(at('address')),
    firstLine(at('addr_assign_type')),
    isThere(at('device')),
    isThere(at('bridge')),
    isThere(at('bonding')),
    isThere(at('master')),
  ])
  return {
    mac: mac?.toLowerCase() ?? '',
    assignType: assignType ?? '',
    hardware,
    composed: composed.includes(true),
  }
}

const isMac = (text: string): boolean =>
  /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text) && text !== '00:00:00:00:00:00'

async function firstLine(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).split('\n', 1)[0]?.trim()
  } catch {
    // Firmware without SMBIOS, or a file that only root may read: the fact is unknown.
    return undefined
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
