/** Whether this machine has room for so many containers: said before anything is started. */
import { readFile } from 'node:fs/promises'
import { readCgroupLayout } from '../../../src/tools/rack/cgroups.ts'

/** Of five hosts; a host's bridge has 253 addresses, and one host may be lost on the way. */
export const unitsMax = 1000
export const unitsMin = 10

const mebibyte = 2 ** 20
/** A container's shim takes 12 MB and its processes next to nothing. */
const bytesPerUnit = 16 * mebibyte
/** Engines, agents, and the bench itself. */
const bytesBeside = 2560 * mebibyte
/** A shim has about a dozen threads, and the container two processes. */
const threadsPerUnit = 18
const threadsBeside = 2000
/** With cgroups of version 2 each shim watches its container's memory events. */
const inotifyBeside = 100

const numberIn = async (file: string): Promise<number> => Number(await readFile(file, 'utf8'))

/** Throws an error for people when there is too little of something. */
export async function requireRoom(units: number): Promise<void> {
  if (units < unitsMin || units > unitsMax) {
    throw new Error(`--units is from ${unitsMin} to ${unitsMax}`)
  }
  const memory = await readFile('/proc/meminfo', 'utf8')
  const freeBytes = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1]) * 1024
  require('free memory, in MiB', (units * bytesPerUnit + bytesBeside) / mebibyte, {
    has: freeBytes / mebibyte,
  })
  const running = Number(/\d+\/(\d+)/.exec(await readFile('/proc/loadavg', 'utf8'))?.[1])
  for (const limit of ['pid_max', 'threads-max']) {
    const has = (await numberIn(`/proc/sys/kernel/${limit}`)) - running
    require(`threads, of kernel.${limit}`, units * threadsPerUnit + threadsBeside, { has })
  }
  if ((await readCgroupLayout()).version === 1) return
  const has = await numberIn('/proc/sys/fs/inotify/max_user_instances')
  require('fs.inotify.max_user_instances', units + inotifyBeside, { has })
}

function require(what: string, needed: number, { has }: { readonly has: number }): void {
  if (has >= needed) return
  throw new Error(`too little room: ${what}: ${Math.round(needed)} needed, ${Math.round(has)} here`)
}
