/**
 * What the machine around a rack looks like: the proof that a rack leaves nothing behind. Taken
 * before and after, and compared.
 */
import { readFile, readdir, readlink } from 'node:fs/promises'
import path from 'node:path'
import { type Hierarchy, readCgroupLayout } from './cgroups.ts'
import { checkRackName, defaultRackName, defaultStateDir } from './names.ts'
import { processRef } from './processes.ts'
import type { RackPlace } from './lifecycle.ts'
import { orUndefined } from './world.ts'

export interface OutsideItem {
  readonly kind: 'namespace' | 'process' | 'mount' | 'interface' | 'cgroup'
  /** Distinguishes it from all others of its kind, now and later. */
  readonly id: string
  /** For people. */
  readonly label: string
  /** It bears the rack's name, or a process in the rack's cgroups holds it. */
  readonly ofRack: boolean
}

export type OutsideSnapshot = readonly OutsideItem[]

/**
 * Everything that a rack could leave: namespaces other than our own and the processes in them,
 * our mounts and interfaces, all cgroups. Reads /proc and /sys only.
 */
export async function snapshotOutside(options: RackPlace = {}): Promise<OutsideSnapshot> {
  const name = checkRackName(options.name ?? defaultRackName)
  const stateDir = path.resolve(options.stateDir ?? defaultStateDir(name))
  const own = { name, stateDir }
  const parts = await Promise.all([
    processItems(own),
    mountItems(own),
    interfaceItems(own),
    cgroupItems(own),
  ])
  return parts.flat()
}

/**
 * What is in `after` and was not in `before`. Other programs come and go meanwhile, so by default
 * only what bears the rack's name counts; `all` shows the rest too.
 */
export function compareOutside(
  before: OutsideSnapshot,
  after: OutsideSnapshot,
  scope: 'rack' | 'all' = 'rack',
): readonly OutsideItem[] {
  const key = (item: OutsideItem): string => `${item.kind} ${item.id}`
  const known = new Set(before.map(key))
  return after.filter((item) => !known.has(key(item)) && (scope === 'all' || item.ofRack))
}

interface Own {
  readonly name: string
  readonly stateDir: string
}

const namespaceKinds = ['net', 'mnt', 'pid', 'uts', 'ipc', 'cgroup'] as const

/** Processes in other namespaces than ours or in the rack's cgroups, and those namespaces. */
async function processItems(own: Own): Promise<OutsideItem[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const ours = new Set(await namespacesOf('self'))
  const namespaces = new Map<string, boolean>()
  const processes: OutsideItem[] = []
  for (const pid of pids) {
    const cgroup = (await orUndefined(readFile(`/proc/${pid}/cgroup`, 'utf8'))) ?? ''
    const ofRack = inRackCgroup(cgroup, own.name) || (await mentions(pid, own.stateDir))
    const foreign = (await namespacesOf(pid)).filter((namespace) => !ours.has(namespace))
    for (const namespace of foreign) {
      namespaces.set(namespace, ofRack || namespaces.get(namespace) === true)
    }
    const reference = await processRef(Number(pid))
    if (reference === undefined || (foreign.length === 0 && !ofRack)) continue
    const command = (await orUndefined(readFile(`/proc/${pid}/comm`, 'utf8')))?.trim() ?? '?'
    const id = `${pid} since ${reference.startTicks}`
    processes.push({ kind: 'process', id, label: `${command} (${pid})`, ofRack })
  }
  const held = [...namespaces].map(([id, ofRack]): OutsideItem => ({
    kind: 'namespace',
    id,
    label: id,
    ofRack,
  }))
  return [...processes, ...held]
}

async function namespacesOf(pid: string): Promise<string[]> {
  const links = await Promise.all(
    namespaceKinds.map((kind) => orUndefined(readlink(`/proc/${pid}/ns/${kind}`))),
  )
  return links.filter((link) => link !== undefined)
}

/** A component `RACK-MACHINE` anywhere in the path: a rack may itself run in a cgroup. */
export const inRackCgroup = (cgroup: string, rack: string): boolean =>
  cgroup.split(/[/\n]/).some((component) => component.startsWith(`${rack}-`))

/** A process that works in the state directory, though it may have escaped the cgroups. */
async function mentions(pid: string, stateDir: string): Promise<boolean> {
  const directory = await orUndefined(readlink(`/proc/${pid}/cwd`))
  return directory === stateDir || directory?.startsWith(`${stateDir}/`) === true
}

async function mountItems(own: Own): Promise<OutsideItem[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n')
  return lines.map((line) => {
    const [id = '', , , root = '', point = ''] = line.split(' ')
    const ofRack = line.includes(own.stateDir) || path.basename(point).startsWith(`${own.name}-`)
    return { kind: 'mount', id: `${id} ${point}`, label: `${root} on ${point}`, ofRack }
  })
}

/** Ports are made in the switch's namespace; one that is seen here was lost on the way. */
async function interfaceItems(own: Own): Promise<OutsideItem[]> {
  const names = (await orUndefined(readdir('/sys/class/net'))) ?? []
  return names.map((id) => {
    const ofRack = id.startsWith('p-') || id.startsWith(`${own.name}-`)
    return { kind: 'interface', id, label: id, ofRack }
  })
}

async function cgroupItems(own: Own): Promise<OutsideItem[]> {
  const layout = await readCgroupLayout()
  const roots =
    layout.version === 2
      ? [layout.root]
      : layout.hierarchies.map((hierarchy: Hierarchy) => hierarchy.root)
  const found = await Promise.all(
    roots.map(async (root) => {
      const entries = (await orUndefined(readdir(root, { withFileTypes: true }))) ?? []
      return entries.filter((entry) => entry.isDirectory()).map((entry) => [root, entry.name])
    }),
  )
  return found.flat().map(([root = '', entry = '']) => {
    const id = path.join(root, entry)
    return { kind: 'cgroup', id, label: id, ofRack: entry.startsWith(`${own.name}-`) }
  })
}
