/**
 * Ends containers without their engine, by what the kernel tells of their processes. Everything is
 * done at once and in this thread: whoever asks for it has no time, and memory may be short.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'

export interface KernelTree {
  /** Where `/proc` is. */
  readonly proc: string
  /** Where the hierarchies of cgroups are. */
  readonly cgroups: string
  readonly kill: (pid: number, signal: 'SIGTERM' | 'SIGKILL') => void
}

const realTree: KernelTree = {
  proc: '/proc',
  cgroups: '/sys/fs/cgroup',
  kill: (pid, signal) => process.kill(pid, signal),
}

/** Processes that fork while they are killed are looked for again at once, and then at the next look. */
const roundsMax = 5
/** Engines put it into the name of each of a container's cgroups, under whatever parent. */
const idPattern = /[0-9a-f]{64}/

interface Found {
  readonly pids: number[]
  /** Below the mount of version 2, or of version 1's freezer. */
  readonly unified: Set<string>
  readonly freezer: Set<string>
}

export class ContainerKiller {
  readonly #tree: KernelTree

  constructor(tree: KernelTree = realTree) {
    this.#tree = tree
  }

  /** Asks every process of these containers to stop. */
  terminate(ids: readonly string[]): void {
    for (const { pids } of this.#find(ids).values()) this.#signal(pids, 'SIGTERM')
  }

  /** Those of which some process was there, and was killed. */
  kill(ids: readonly string[]): ReadonlySet<string> {
    const killed = new Set<string>()
    for (let round = 0; round < roundsMax; round += 1) {
      const found = this.#find(ids)
      if (found.size === 0) break
      for (const [id, processes] of found) {
        killed.add(id)
        this.#killAll(processes)
      }
    }
    return killed
  }

  /** All at once where the kernel can; else frozen, so that none forks away, and one by one. */
  #killAll({ pids, unified, freezer }: Found): void {
    const isDone = [...unified].some((path) =>
      [this.#tree.cgroups, `${this.#tree.cgroups}/unified`].some((mount) =>
        tryWrite(`${mount}${path}/cgroup.kill`, '1'),
      ),
    )
    if (isDone) return
    const states = [...freezer].map((path) => `${this.#tree.cgroups}/freezer${path}/freezer.state`)
    for (const state of states) tryWrite(state, 'FROZEN')
    this.#signal(pids, 'SIGKILL')
    for (const state of states) tryWrite(state, 'THAWED')
  }

  #signal(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void {
    for (const pid of pids) {
      try {
        this.#tree.kill(pid, signal)
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  #find(ids: readonly string[]): ReadonlyMap<string, Found> {
    const wanted = new Set(ids)
    const found = new Map<string, Found>()
    for (const name of readdirSync(this.#tree.proc)) {
      if (!/^\d+$/.test(name)) continue
      for (const line of linesOf(`${this.#tree.proc}/${name}/cgroup`)) {
        const id = idPattern.exec(line)?.[0]
        if (id === undefined || !wanted.has(id)) continue
        const known = found.get(id) ?? { pids: [], unified: new Set(), freezer: new Set() }
        found.set(id, known)
        if (known.pids.at(-1) !== Number(name)) known.pids.push(Number(name))
        note(known, line, id)
      }
    }
    return found
  }
}

/** `4:freezer:/docker/ID/inner`, or of version 2 `0::/docker/ID`: the cgroup that bears the id. */
function note(found: Found, line: string, id: string): void {
  const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
  const end = path.indexOf('/', path.indexOf(id))
  const own = end < 0 ? path : path.slice(0, end)
  // Outside what this process may see of the hierarchy.
  if (own.includes('/..')) return
  if (controllers === '') found.unified.add(own)
  else if (controllers.split(',').includes('freezer')) found.freezer.add(own)
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'latin1').split('\n')
  } catch {
    // The process has ended meanwhile.
    return []
  }
}

function tryWrite(file: string, text: string): boolean {
  try {
    // Not to be made where it is not there, and not to be read: the kernel lets nobody.
    const descriptor = openSync(file, constants.O_WRONLY)
    try {
      writeSync(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
    return true
  } catch {
    return false
  }
}
