/** Building a rack, finding one again, and taking one down, whoever built it. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'
import { killAll, machinesWithCgroups, readCgroupLayout, removeCgroups } from './cgroups.ts'
import { buildBusyboxImage } from './images.ts'
import {
  blankMac,
  blanksMax,
  cgroupName,
  checkMachineName,
  checkRackName,
  defaultRackName,
  defaultStateDir,
  hostAddress,
  hostMac,
  hostsMax,
  rackPaths,
  switchName,
} from './names.ts'
import { switchUp } from './network.ts'
import { isAlive } from './processes.ts'
import { Rack } from './rack.ts'
import { checkRequirements, checkSystem } from './requirements.ts'
import type { BlankSpec, HostSpec, RackSpec } from './spec.ts'
import { readJson, readSpec, writeJson } from './spec.ts'
import { type RackWorld, orUndefined } from './world.ts'

/** Enough for the system image's root in memory, and the least that was seen to boot quickly. */
const blankMemoryMbDefault = 1024
const blankCpusDefault = 1

export interface BlankOptions {
  readonly name?: string
  readonly uuid?: string
  readonly mac?: string
  readonly memoryMb?: number
  readonly cpus?: number
}

export interface RackOptions {
  readonly name?: string
  readonly stateDir?: string
  /** How many hosts (`n1`, `n2`, …), or their names. */
  readonly hosts: number | readonly string[]
  /** They are switched on by `blankUp`, not by `rackUp`. How many (`b1`, …), or what each is. */
  readonly blanks?: number | readonly BlankOptions[]
  /** The built product. */
  readonly binary?: string
  /** Loaded into every engine, beside `busybox:jangada`: files that `docker load` takes. */
  readonly imageTars?: readonly string[]
}

export interface RackPlace {
  readonly name?: string
  readonly stateDir?: string
}

const place = (options: RackPlace): { name: string; stateDir: string } => {
  const name = checkRackName(options.name ?? defaultRackName)
  return { name, stateDir: path.resolve(options.stateDir ?? defaultStateDir(name)) }
}

/**
 * Builds a rack, all hosts at once; resolves when every engine answers and has its images. A rack
 * of the same name that is still there, whole or in pieces, is taken down first. When anything
 * fails, what was built is taken down again.
 *
 * Throws `JGD_NEEDS_LINUX`, `JGD_NEEDS_ROOT`, `JGD_USAGE`, or `JGD_RACK`.
 */
export async function rackUp(world: RackWorld, options: RackOptions): Promise<Rack> {
  const { name, stateDir } = place(options)
  const hosts = hostSpecs(options.hosts)
  const blanks = blankSpecs(options.blanks ?? 0)
  checkDistinct([...hosts, ...blanks].map((machine) => machine.name))
  await checkRequirements({ blanks: blanks.length > 0 })
  await rackDown(world, { name, stateDir })
  try {
    await mkdir(stateDir, { recursive: true })
    const paths = rackPaths(stateDir)
    const layout = await readCgroupLayout()
    const marker = { version: 1, name, stateDir, hosts, blanks, binary: options.binary }
    // Before anything else is there: `rackDown` removes no directory that does not say it is ours.
    await writeJson(paths.spec, marker)
    const process = await switchUp(world, layout, name, paths.switch)
    const spec: RackSpec = { ...marker, version: 1, binary: options.binary, switch: process }
    await writeJson(paths.spec, spec)
    const rack = new Rack(world, layout, spec)
    await startHosts(rack, paths.images, options.imageTars ?? [])
    return rack
  } catch (error) {
    await orUndefined(rackDown(world, { name, stateDir }))
    throw error
  }
}

async function startHosts(rack: Rack, images: string, tars: readonly string[]): Promise<void> {
  await mkdir(images, { recursive: true })
  const busybox = buildBusyboxImage(images)
  // All are waited for, also when one fails: nothing may still be starting while we clean up.
  const results = await Promise.allSettled([
    busybox,
    ...rack.spec.hosts.map(async (host) => {
      await rack.hostUp(host.name)
      for (const tar of [await busybox, ...tars]) await rack.loadImage(host.name, tar)
    }),
  ])
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** A rack that some process has built. Throws `JGD_RACK` when there is none. */
export async function openRack(world: RackWorld, options: RackPlace = {}): Promise<Rack> {
  checkSystem(process.platform, process.getuid?.())
  const { name, stateDir } = place(options)
  const spec = await readSpec(name, stateDir)
  if (await isAlive(spec.switch)) return new Rack(world, await readCgroupLayout(), spec)
  throw new JangadaError('JGD_RACK', `rack "${name}" is in pieces: its switch is gone`, {
    hint: '`jangada rack down` clears what is left; then `jangada rack up`.',
  })
}

/** Whether a rack of this name is up, as opposed to absent or in pieces. */
export async function rackIsUp(options: RackPlace = {}): Promise<boolean> {
  const { name, stateDir } = place(options)
  const spec = await readJson<RackSpec>(rackPaths(stateDir).spec)
  return spec?.name === name && (await isAlive(spec.switch))
}

/**
 * Takes everything down that bears the rack's name: processes, and with them their namespaces and
 * mounts; cgroups; and, unless `keepState`, the state directory. Works on a rack in pieces, and
 * on one that is not there. Asks no file what there is: the cgroups' names say it. Resolves with
 * whether anything was there.
 */
export async function rackDown(
  world: RackWorld,
  options: RackPlace & { readonly keepState?: boolean } = {},
): Promise<boolean> {
  checkSystem(process.platform, process.getuid?.())
  const { name, stateDir } = place(options)
  const layout = await readCgroupLayout()
  const machines = await machinesWithCgroups(layout, name)
  if (machines.length > 0) world.log.info('taking a rack down', { rack: name, machines })
  const remove = async (machine: string): Promise<void> => {
    await killAll(world, layout, cgroupName(name, machine))
    await removeCgroups(world, layout, cgroupName(name, machine))
  }
  await Promise.all(machines.filter((machine) => machine !== switchName).map(remove))
  if (machines.includes(switchName)) await remove(switchName)
  const hadState = options.keepState !== true && (await removeState(name, stateDir))
  return machines.length > 0 || hadState
}

async function removeState(name: string, stateDir: string): Promise<boolean> {
  const spec = await readJson<Partial<RackSpec>>(rackPaths(stateDir).spec)
  const isOurs = spec?.name === name
  if (isOurs) await rm(stateDir, { recursive: true, force: true, maxRetries: 5 })
  // Only when nothing else is in them: rmdir says no, and that is fine.
  await orUndefined(rmdir(stateDir))
  if (stateDir === defaultStateDir(name)) await orUndefined(rmdir(path.dirname(stateDir)))
  return isOurs
}

function hostSpecs(hosts: number | readonly string[]): HostSpec[] {
  const names =
    typeof hosts === 'number' ? Array.from({ length: hosts }, (_, i) => `n${i + 1}`) : hosts
  checkCount('hosts', names.length, hostsMax)
  return names.map((name, position) => {
    const index = position + 1
    return {
      kind: 'host',
      name: checkMachineName(name),
      index,
      address: hostAddress(index),
      mac: hostMac(index),
      uuid: randomUUID(),
    }
  })
}

function blankSpecs(blanks: number | readonly BlankOptions[]): BlankSpec[] {
  const wanted =
    typeof blanks === 'number' ? Array.from({ length: blanks }, (): BlankOptions => ({})) : blanks
  checkCount('blank machines', wanted.length, blanksMax)
  return wanted.map((blank, position) => ({
    kind: 'blank',
    name: checkMachineName(blank.name ?? `b${position + 1}`),
    mac: blank.mac ?? blankMac(position + 1),
    uuid: blank.uuid ?? randomUUID(),
    memoryMb: blank.memoryMb ?? blankMemoryMbDefault,
    cpus: blank.cpus ?? blankCpusDefault,
  }))
}

function checkCount(what: string, count: number, max: number): void {
  if (Number.isSafeInteger(count) && count >= 0 && count <= max) return
  throw new JangadaError('JGD_USAGE', `${count} ${what} cannot be`, { hint: `0 to ${max}.` })
}

function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, position) => names.indexOf(name) !== position)
  if (twice === undefined) return
  throw new JangadaError('JGD_USAGE', `two machines of a rack are called "${twice}"`)
}
