/**
 * The cgroups of one machine of the rack: one directory of the same name in every hierarchy of
 * version 1, or the one directory of version 2. They are how all processes of a machine are
 * found, frozen and killed, also those of a rack whose own process has crashed.
 */
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type ProcessRef, isAlive, killNow } from './processes.ts'
import { type RackWorld, orUndefined, rackError, until } from './world.ts'

export interface Hierarchy {
  /** Where it is mounted, for us. */
  readonly root: string
  /** What to mount it with inside a host: `memory`, `cpu,cpuacct`, `none,name=systemd`. */
  readonly options: string
}

export type CgroupLayout =
  | { readonly version: 1; readonly hierarchies: readonly Hierarchy[] }
  | { readonly version: 2; readonly root: string }

const killTimeoutMs = 20_000
const removeTimeoutMs = 10_000
/** Containers' cgroups are a few levels deep; a tree deeper than this is not ours. */
const depthMax = 32

export async function readCgroupLayout(): Promise<CgroupLayout> {
  const [mounts, own] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    readFile('/proc/self/cgroup', 'utf8'),
  ])
  return parseCgroupLayout(mounts, own)
}

/**
 * `mountinfo` and `cgroup` are /proc/self's files of these names. A machine with both versions
 * (systemd's hybrid layout) counts as version 1, as Docker does. Throws `JGD_RACK` if none.
 */
export function parseCgroupLayout(mountinfo: string, cgroup: string): CgroupLayout {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [type = '', , options = ''] = after.split(' ')
    const root = before.split(' ')[4] ?? ''
    return type.startsWith('cgroup') ? [{ type, root, options: new Set(options.split(',')) }] : []
  })
  const hierarchies = cgroup.split('\n').flatMap((line): Hierarchy[] => {
    const controllers = line.split(':')[1] ?? ''
    if (controllers === '') return []
    const names = controllers.split(',')
    const mount = mounts.find(
      ({ type, options }) => type === 'cgroup' && names.every((name) => options.has(name)),
    )
    const options = controllers.startsWith('name=') ? `none,${controllers}` : controllers
    return mount === undefined ? [] : [{ root: mount.root, options }]
  })
  if (hierarchies.length > 0) return { version: 1, hierarchies }
  const unified = mounts.find(({ type }) => type === 'cgroup2')
  if (unified !== undefined) return { version: 2, root: unified.root }
  throw rackError('no cgroups are mounted', 'Mount /sys/fs/cgroup; systemd does so by itself.')
}

const roots = (layout: CgroupLayout): string[] =>
  layout.version === 1 ? layout.hierarchies.map(({ root }) => root) : [layout.root]

export const cgroupDirs = (layout: CgroupLayout, name: string): string[] =>
  roots(layout).map((root) => path.join(root, name))

/** The argument words that tell the host's init what to mount. */
export const hierarchyWords = (layout: CgroupLayout): string[] =>
  layout.version === 2
    ? ['v2']
    : layout.hierarchies.map(({ root, options }) => `${path.basename(root)}:${options}`)

/**
 * Version 2 gives a host only the controllers that the top of the tree passes on. systemd passes
 * on most; what we add stays on, for others may have come to rely on it.
 */
export async function passOnControllers(layout: CgroupLayout): Promise<void> {
  if (layout.version === 1) return
  const controllers = await readFile(path.join(layout.root, 'cgroup.controllers'), 'utf8')
  // One at a time: one that the kernel refuses here must not take the others with it.
  for (const controller of controllers.trim().split(' ')) {
    const file = path.join(layout.root, 'cgroup.subtree_control')
    await orUndefined(writeFile(file, `+${controller}`))
  }
}

export async function createCgroups(layout: CgroupLayout, name: string): Promise<void> {
  await Promise.all(cgroupDirs(layout, name).map((dir) => mkdir(dir, { recursive: true })))
  if (layout.version === 2) return
  await Promise.all(layout.hierarchies.map((hierarchy) => prepare(hierarchy, name)))
}

/** An empty cpuset takes no process; the old memory controller does not nest unless told. */
async function prepare({ root, options }: Hierarchy, name: string): Promise<void> {
  const controllers = options.split(',')
  if (controllers.includes('cpuset')) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(path.join(root, name, file), await readFile(path.join(root, file)))
    }
    await writeFile(path.join(root, name, 'cgroup.clone_children'), '1')
  }
  if (controllers.includes('memory')) {
    await orUndefined(writeFile(path.join(root, name, 'memory.use_hierarchy'), '1'))
  }
}

/**
 * `argv`, run as a member of the cgroups `dirs`. nsenter does not join cgroups, so that without
 * this a frozen host would go on running whatever was started in it from outside.
 */
export function joining(dirs: readonly string[], argv: readonly string[]): string[] {
  const script =
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 125; ' +
    'shift; n=$((n - 1)); done; exec "$@"'
  return ['sh', '-c', script, 'join', String(dirs.length), ...dirs, ...argv]
}

/** Where programs run inside a host. Version 2 allows none beside cgroups with controllers. */
export const innerCgroupDirs = (layout: CgroupLayout, name: string): string[] =>
  cgroupDirs(layout, name).map((dir) => (layout.version === 2 ? path.join(dir, 'init') : dir))

/** Moves a process, which must be in the cgroups of `name` already, to where programs run. */
export async function moveInner(layout: CgroupLayout, name: string, pid: number): Promise<void> {
  if (layout.version === 1) return
  for (const dir of innerCgroupDirs(layout, name)) {
    await mkdir(dir, { recursive: true })
    await writeFile(path.join(dir, 'cgroup.procs'), String(pid))
  }
}

/** All processes in the cgroups of `name`, those of its containers included. */
export async function processesIn(layout: CgroupLayout, name: string): Promise<number[]> {
  const pids = new Set<number>()
  for (const top of cgroupDirs(layout, name)) {
    for (const dir of await tree(top)) {
      const procs = await orUndefined(readFile(path.join(dir, 'cgroup.procs'), 'utf8'))
      for (const line of (procs ?? '').split('\n')) if (Number(line) > 0) pids.add(Number(line))
    }
  }
  return [...pids]
}

/** `top` and every directory below it, parents first; empty when there is none. */
async function tree(top: string, depth = 0): Promise<string[]> {
  if (depth > depthMax) return []
  const entries = await orUndefined(readdir(top, { withFileTypes: true }))
  if (entries === undefined) return []
  const below = entries.filter((entry) => entry.isDirectory())
  const subtrees = await Promise.all(
    below.map((entry) => tree(path.join(top, entry.name), depth + 1)),
  )
  return [top, ...subtrees.flat()]
}

/** Writes the state for the whole machine at once. Freezing returns when all is frozen. */
export async function setFrozen(
  world: RackWorld,
  layout: CgroupLayout,
  name: string,
  frozen: boolean,
): Promise<void> {
  const file = freezerFile(layout, name)
  const word = layout.version === 2 ? (frozen ? '1' : '0') : frozen ? 'FROZEN' : 'THAWED'
  await writeFile(file, word)
  await until(
    world.clock,
    { what: `${name} is ${frozen ? 'frozen' : 'thawed'}`, timeoutMs: 10_000, pollMs: 5 },
    async () => {
      if ((await isFrozen(layout, name)) === frozen) return true
      // Version 1 may stay FREEZING when a process forked meanwhile; asking again completes it.
      await writeFile(file, word)
      return undefined
    },
  )
}

function freezerFile(layout: CgroupLayout, name: string): string {
  if (layout.version === 2) return path.join(layout.root, name, 'cgroup.freeze')
  const freezer = layout.hierarchies.find(({ options }) => options.split(',').includes('freezer'))
  if (freezer === undefined) throw rackError('this kernel has no freezer cgroup')
  return path.join(freezer.root, name, 'freezer.state')
}

export async function isFrozen(layout: CgroupLayout, name: string): Promise<boolean> {
  if (layout.version === 1) {
    return (await orUndefined(readFile(freezerFile(layout, name), 'utf8')))?.trim() === 'FROZEN'
  }
  const events = path.join(layout.root, name, 'cgroup.events')
  return /^frozen 1$/m.test((await orUndefined(readFile(events, 'utf8'))) ?? '')
}

/**
 * Kills everything in the cgroups and returns when nothing is left. `first` dies before all
 * others: the init of a host, whose end takes its whole pid namespace along in one stroke.
 */
export async function killAll(
  world: RackWorld,
  layout: CgroupLayout,
  name: string,
  first?: ProcessRef,
): Promise<void> {
  if (first !== undefined) killNow(first.pid)
  const sweep = async (): Promise<true | undefined> => {
    const pids = await processesIn(layout, name)
    // A dying process leaves its cgroup a moment before it is dead.
    if (pids.length === 0) return (await isAlive(first)) ? undefined : true
    for (const pid of pids) killNow(pid)
    // In version 1 a frozen process does not die. It was killed before it could run again.
    if (layout.version === 1 && (await isFrozen(layout, name))) {
      await orUndefined(writeFile(freezerFile(layout, name), 'THAWED'))
    }
    return undefined
  }
  await until(
    world.clock,
    { what: `all processes of ${name} are dead`, timeoutMs: killTimeoutMs, pollMs: 5 },
    sweep,
  )
}

/** Removes the cgroups, which must be empty of processes; they may be busy for a moment after. */
export async function removeCgroups(
  world: RackWorld,
  layout: CgroupLayout,
  name: string,
): Promise<void> {
  const wait = { what: `the cgroups of ${name} are gone`, timeoutMs: removeTimeoutMs }
  await until(world.clock, wait, async () => {
    const trees = await Promise.all(cgroupDirs(layout, name).map((dir) => tree(dir)))
    const dirs = trees.flat().toReversed()
    for (const dir of dirs) await orUndefined(rmdir(dir))
    return dirs.length === 0 ? true : undefined
  })
}

/** Machines of `rack` that have a cgroup, whatever any file says about them. */
export async function machinesWithCgroups(layout: CgroupLayout, rack: string): Promise<string[]> {
  const names = new Set<string>()
  for (const root of roots(layout)) {
    for (const entry of (await orUndefined(readdir(root))) ?? []) {
      if (entry.startsWith(`${rack}-`)) names.add(entry.slice(rack.length + 1))
    }
  }
  return [...names].toSorted()
}
