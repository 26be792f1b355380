/**
 * What the hosts of a rack have used up to now, from the kernel's own counters: processor time by
 * kind of process, and bytes through their network cards. What is written to disk is not among them: the
 * kernel counts whole folios of its cache, a megabyte for a frame of the log.
 */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { cgroupName } from '../../../src/tools/rack/names.ts'
import { must } from '../../../src/tools/rack/processes.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { orUndefined } from '../../../src/tools/rack/world.ts'
import { hostNames } from '../../../src/tools/rack/demo/scene.ts'

export const kinds = ['jangada', 'dockerd', 'containerd', 'shims', 'containers', 'rest'] as const
export type Kind = (typeof kinds)[number]

export interface HostUsage {
  /** Processor time of processes that live, and of those they have waited for. */
  readonly cpuMs: Readonly<Record<Kind, number>>
  readonly processes: Readonly<Record<Kind, number>>
  /** Resident, of the host's nodes: agent, member and fencer. */
  readonly memoryBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
}

export type Usage = ReadonlyMap<string, HostUsage>

interface Seen {
  readonly host: string
  readonly kind: Kind
  readonly cpuMs: number
  readonly memoryBytes: number
}

export async function usageOf(rack: Rack): Promise<Usage> {
  const hosts = hostNames(rack)
  const ticksPerSecond = Number(await must(['getconf', 'CLK_TCK']))
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const seen = await Promise.all(pids.map((pid) => seenOf(pid, rack.spec.name, ticksPerSecond)))
  const byHost = Map.groupBy(
    seen.filter((one) => one !== undefined),
    ({ host }) => host,
  )
  const rows = hosts.map(async (host): Promise<[string, HostUsage]> => {
    const card = await cardOf(await rack.initPid(host))
    return [host, { ...sumOf(byHost.get(cgroupName(rack.spec.name, host)) ?? []), ...card }]
  })
  return new Map(await Promise.all(rows))
}

/** Undefined for what is in no host of this rack, and for what has just ended. */
async function seenOf(pid: string, rack: string, ticks: number): Promise<Seen | undefined> {
  const read = (name: string): Promise<string | undefined> =>
    orUndefined(readFile(`/proc/${pid}/${name}`, 'utf8'))
  const cgroup = await read('cgroup')
  const [, host, below = ''] = new RegExp(`:/(${rack}-[^/\\n]+)([^\\n]*)`).exec(cgroup ?? '') ?? []
  if (host === undefined) return undefined
  const [line, stat] = [await read('cmdline'), await read('stat')]
  if (line === undefined || stat === undefined) return undefined
  const kind = kindOf(line.split('\0')[0] ?? '', below)
  const isNode = kind === 'jangada'
  // After the name, which may hold anything: state is the first, and times are the 12th to 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const cpuTicks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0)
  const numberOf = (text: string | undefined, pattern: RegExp): number =>
    Number(pattern.exec(text ?? '')?.[1] ?? 0)
  return {
    ...{ host, kind, cpuMs: (cpuTicks / ticks) * 1000 },
    memoryBytes: isNode ? numberOf(await read('status'), /^VmRSS:\s+(\d+) kB$/m) * 1024 : 0,
  }
}

function kindOf(program: string, cgroupBelow: string): Kind {
  const name = path.basename(program)
  if (name.startsWith('containerd-shim')) return 'shims'
  if (cgroupBelow.includes('/docker/')) return 'containers'
  if (name === 'jangada' || name === 'dockerd' || name === 'containerd') return name
  return 'rest'
}

function sumOf(all: readonly Seen[]): Pick<HostUsage, 'cpuMs' | 'processes' | 'memoryBytes'> {
  const none = { jangada: 0, dockerd: 0, containerd: 0, shims: 0, containers: 0, rest: 0 }
  const [cpuMs, processes] = [{ ...none }, { ...none }]
  let memoryBytes = 0
  for (const one of all) {
    cpuMs[one.kind] += one.cpuMs
    processes[one.kind] += 1
    memoryBytes += one.memoryBytes
  }
  return { cpuMs, processes, memoryBytes }
}

/** Of the cable to the other hosts: what containers say to each other does not go there. */
async function cardOf(initPid: number): Promise<{ sentBytes: number; receivedBytes: number }> {
  const text = await readFile(`/proc/${initPid}/net/dev`, 'utf8')
  const numbers = (/^\s*eth0:\s*(.+)$/m.exec(text)?.[1] ?? '').split(/\s+/).map(Number)
  return { receivedBytes: numbers[0] ?? NaN, sentBytes: numbers[8] ?? NaN }
}
