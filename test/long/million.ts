/**
 * A member with a million keys goes on serving while its state is written to a snapshot, read back
 * as a follower gets it, and copied for people; then it is started again.
 *
 *     npm run test:long -- million [--keys 1000000] [--directory /var/tmp] [--turns]
 *
 * Loop delay is `monitorEventLoopDelay`'s, less its resolution; goals are those of DESIGN 4.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { clusterId } from '../../src/base/ids.ts'
import type { MemberStore } from '../../src/node/member/member-store.ts'
import { createFirstMember } from '../../src/node/member/seat.ts'
import { SnapshotSaver } from '../../src/node/member/snapshot-save.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { directoryDisk } from '../../src/platform/disk.ts'
import { hurry } from '../../src/platform/host.ts'
import { sleep } from '../../src/ports/clock.ts'
import { type LoneMember, openLoneMember } from '../support/lone-member.ts'

const { values: given } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    directory: { type: 'string', default: '/var/tmp' },
    turns: { type: 'boolean', default: false },
  },
})
const keys = Number(given.keys)
const valueBytes = 256
const keysTogether = 256
const writers = 16
const goals = { p999Ms: 50, maxMs: 150, extraRssMb: 400, restartMs: 10_000 }
const cluster = clusterId('e'.repeat(32))
const clock = systemClock()
const resolutionMs = 1
const lookMs = 20

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const keyOf = (n: number): string => `bench/${String(n).padStart(8, '0')}`
const rssMb = (): number => process.memoryUsage.rss() / 1_000_000

const openMember = (directory: string, written: { count: number }): Promise<LoneMember> =>
  openLoneMember(directory, cluster, (line) => {
    if (line.includes('snapshot written')) written.count += 1
    if (line.includes('"level":"error"')) say(line)
  })

async function load(store: MemberStore): Promise<void> {
  const value = new Uint8Array(valueBytes).fill(120)
  let next = 0
  const one = async (): Promise<void> => {
    while (next < keys) {
      const from = next
      next += keysTogether
      const then = Array.from({ length: Math.min(keysTogether, keys - from) }, (_, n) => {
        return { kind: 'put', key: keyOf(from + n), value: value.slice() } as const
      })
      await store.transact({ compare: [], then, otherwise: [] })
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
}

/** Writes over single keys, from many clients at once, until told to stop. */
function underLoad(store: MemberStore): { readonly stop: () => Promise<number> } {
  const state = { isOn: true, writes: 0 }
  const value = new Uint8Array(valueBytes).fill(121)
  const one = async (seed: number): Promise<void> => {
    for (let n = seed; state.isOn; n = (n + 7919) % keys) {
      const then = [{ kind: 'put', key: keyOf(n), value: value.slice() } as const]
      await store.transact({ compare: [], then, otherwise: [] })
      state.writes += 1
    }
  }
  const all = Promise.all(Array.from({ length: writers }, (_, n) => one(n)))
  const stop = async (): Promise<number> => {
    state.isOn = false
    await all
    return state.writes
  }
  return { stop }
}

/**
 * The longest turns of the loop in this thread's own processor time: what its work and its garbage
 * collector take, however many others want the processor. Turning costs a processor meanwhile.
 */
class Turns {
  #on = true
  longestMs = 0
  above50Ms = 0
  #last = process.threadCpuUsage()

  constructor() {
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    const { user, system } = process.threadCpuUsage()
    const ms = (user - this.#last.user + system - this.#last.system) / 1000
    this.#last = { user, system }
    this.longestMs = Math.max(this.longestMs, ms)
    if (ms > 50) this.above50Ms += 1
    if (this.#on) setImmediate(() => this.#turn())
  }

  end(): void {
    this.#on = false
  }
}

interface Watched {
  readonly p999Ms: number
  readonly maxMs: number
  readonly extraRssMb: number
  readonly tookMs: number
}

async function watched(what: string, work: () => Promise<void>): Promise<Watched> {
  globalThis.gc?.()
  const before = rssMb()
  let most = before
  const looks = { isOn: true }
  const looking = (async () => {
    while (looks.isOn) {
      most = Math.max(most, rssMb())
      await sleep(clock, lookMs)
    }
  })()
  const turns = given.turns ? new Turns() : undefined
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  const fromMs = clock.monotonicMs()
  const cpu = process.threadCpuUsage()
  delay.enable()
  await work()
  delay.disable()
  const { user, system } = process.threadCpuUsage()
  const busyMs = (user - cpu.user + system - cpu.system) / 1000
  turns?.end()
  const tookMs = clock.monotonicMs() - fromMs
  looks.isOn = false
  await looking
  const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs)
  const result = {
    p999Ms: ms(delay.percentile(99.9)),
    maxMs: ms(delay.max),
    extraRssMb: most - before,
    tookMs,
  }
  say(
    `${what}: ${(tookMs / 1000).toFixed(1)} s, ${(busyMs / 1000).toFixed(1)} s of this thread's ` +
      `processor time; loop delay p99 ${ms(delay.percentile(99)).toFixed(1)} ms, ` +
      `p99.9 ${result.p999Ms.toFixed(1)} ms, max ${result.maxMs.toFixed(1)} ms; ` +
      `RSS ${before.toFixed(0)} MB and ${result.extraRssMb.toFixed(0)} MB more at most`,
  )
  if (turns !== undefined) {
    const { longestMs, above50Ms } = turns
    say(`  longest turn ${longestMs.toFixed(1)} ms of processor time, ${above50Ms} above 50 ms`)
  }
  return result
}

/** A snapshot that is being written outlives its member's end by a while. */
async function writtenOut(directory: string): Promise<void> {
  const isPart = (name: string): boolean => name.endsWith('.part')
  do await sleep(clock, 1000)
  while (readdirSync(path.join(directory, 'wal/snapshots')).some(isPart))
}

async function firstLife(directory: string): Promise<readonly Watched[]> {
  await createFirstMember(directoryDisk(directory), cluster, '3'.repeat(32), [])
  const written = { count: 0 }
  const { store, seat } = await openMember(directory, written)
  const loadFromMs = clock.monotonicMs()
  await load(store)
  say(`${keys} keys in ${((clock.monotonicMs() - loadFromMs) / 1000).toFixed(1)} s`)
  await sleep(clock, 2000)
  const results: Watched[] = []
  const during = async (what: string, work: () => Promise<void>): Promise<void> => {
    const writing = underLoad(store)
    let writes = 0
    results.push(
      await watched(what, async () => {
        await work()
        writes = await writing.stop()
      }),
    )
    say(`  meanwhile ${writes} writes from ${writers} clients`)
  }
  await during('nothing else', () => sleep(clock, 5000))
  await during('a snapshot is written', async () => {
    // The first may have been begun before.
    const enough = written.count + 2
    while (written.count < enough) await sleep(clock, lookMs)
  })
  const saver = new SnapshotSaver(() => cluster, clock)
  await during('a copy is sent', async () => {
    let bytes = 0
    for await (const piece of saver.save(store, new AbortController().signal)) {
      bytes += piece.length
      // As the sender of a snapshot waits for each piece's answer.
      await new Promise((resolve) => setImmediate(resolve))
    }
    say(`  ${(bytes / 1e6).toFixed(0)} MB`)
  })
  await writtenOut(directory)
  await seat.close()
  return results.slice(1)
}

async function main(): Promise<void> {
  const directory = mkdtempSync(path.join(given.directory, 'jangada-million-'))
  try {
    const results = await firstLife(directory)
    const from = clock.monotonicMs()
    const restart = await watched('restart', async () => {
      const { store, seat } = await openMember(directory, { count: 0 })
      say(
        `  ${store.member.store.stats().liveKeys} keys after ${(clock.monotonicMs() - from).toFixed(0)} ms`,
      )
      await seat.close()
    })
    await writtenOut(directory)
    const worst = (each: (one: Watched) => number): number => Math.max(0, ...results.map(each))
    const holds =
      worst(({ p999Ms }) => p999Ms) <= goals.p999Ms &&
      worst(({ maxMs }) => maxMs) <= goals.maxMs &&
      worst(({ extraRssMb }) => extraRssMb) <= goals.extraRssMb &&
      restart.tookMs <= goals.restartMs
    say(holds ? 'every goal is met' : 'a goal is missed')
    process.exitCode = holds ? 0 : 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

// As every node does.
hurry()
await main()
