/**
 * From what the store says to what the agents hear: a made cluster written to a real log, placed by the
 * leader's loop, and every machine's placements watched. In a process of its own; prints one JSON line.
 *
 *     node told.ts UNITS SEED DIRECTORY
 *
 * The member is alone in its cluster: commits are on its disk, and on nobody else's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { clusterId } from '../../../src/base/ids.ts'
import { placements } from '../../../src/core/records/keyspace.ts'
import type { Operation, StoreEvent } from '../../../src/core/store/types.ts'
import { PlacementController } from '../../../src/node/controllers/placement.ts'
import { UnitRules } from '../../../src/node/controllers/unit-rules.ts'
import { follow, type Follower } from '../../../src/node/member/follow.ts'
import { createFirstMember } from '../../../src/node/member/seat.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { sleep } from '../../../src/ports/clock.ts'
import { type LoneMember, openLoneMember } from '../../support/lone-member.ts'
import { makeCluster } from './cluster.ts'
import { machinePut, unitPut } from './records.ts'

export interface ToldFigures {
  readonly units: number
  readonly machines: number
  /** From taking office until the last agent of all heard of its last unit. */
  readonly coldMs: number
  readonly coldPlacements: number
  /** From the proposal that a machine is lost until the last agent heard of the last unit moved to it. */
  readonly lostMs: readonly number[]
  readonly movedPerMachine: number
}

const recordsTogether = 200
const losses = 20
/** Nothing more is told then. */
const quietMs = 1000
const clock = systemClock()
const cluster = clusterId('c'.repeat(32))
const nothing = (): undefined => undefined

/** Hears what is placed, as the agents of all machines do. */
class Agents {
  told = 0
  lastMs = 0

  readonly follower: Follower = {
    reset: nothing,
    change: (events) => {
      const placed = events.filter(isNew).length
      if (placed === 0) return
      this.told += placed
      this.lastMs = clock.monotonicMs()
    },
  }

  /** When the last of what `work` begins was told, in milliseconds from its begin, and how much that was. */
  async after(work: () => unknown): Promise<{ tookMs: number; told: number }> {
    const [fromMs, before] = [clock.monotonicMs(), this.told]
    await work()
    while (this.told === before || clock.monotonicMs() - this.lastMs < quietMs)
      await sleep(clock, 5)
    return { tookMs: this.lastMs - fromMs, told: this.told - before }
  }
}

const isNew = (event: StoreEvent): boolean => event.kind === 'put' && event.item.version === 1

async function write({ store }: LoneMember, operations: readonly Operation[]): Promise<void> {
  for (let at = 0; at < operations.length; at += recordsTogether) {
    const then = operations.slice(at, at + recordsTogether)
    await store.transact({ compare: [], then, otherwise: [] })
  }
}

async function measure(directory: string, count: number, seed: number): Promise<ToldFigures> {
  await createFirstMember(directoryDisk(directory), cluster, '4'.repeat(32), [])
  const member = await openLoneMember(directory, cluster, (line) => {
    if (/"level":"(warn|error)"/.test(line)) process.stderr.write(`${line}\n`)
  })
  const { store, log, seat } = member
  const { machines, units } = makeCluster(count, seed)
  await write(
    member,
    machines.map((machine) => machinePut(machine, 'ready')),
  )
  await write(member, units.map(unitPut))
  const stop = new AbortController()
  const { signal } = stop
  const agents = new Agents()
  for (const { id } of machines) {
    const range = placements.under(id)
    void follow({ ...{ store, clock, log, range, signal }, follower: agents.follower })
  }
  await sleep(clock, quietMs)
  const metrics = { count: nothing, gauge: nothing, observe: nothing }
  const office = { term: store.member.leadership.term, tookOfficeMs: clock.monotonicMs(), signal }
  const context = { store, clock, log, metrics, entropy: kernelEntropy() }
  const cold = await agents.after(() => {
    new PlacementController(context, office, new UnitRules(), () => Infinity).start()
  })
  const step = Math.floor(machines.length / losses)
  const lost = []
  for (const machine of machines.filter((_, n) => n % step === 0).slice(0, losses)) {
    lost.push(await agents.after(() => write(member, [machinePut(machine, 'lost')])))
  }
  stop.abort()
  await seat.close()
  return {
    units: count,
    machines: machines.length,
    coldMs: cold.tookMs,
    coldPlacements: cold.told,
    lostMs: lost.map(({ tookMs }) => tookMs),
    movedPerMachine: lost.reduce((sum, { told }) => sum + told, 0) / lost.length,
  }
}

const [units, seed, parent] = process.argv.slice(2)
const directory = mkdtempSync(path.join(parent ?? '', 'jangada-told-'))
try {
  const figures = await measure(directory, Number(units), Number(seed))
  process.stdout.write(`${JSON.stringify(figures)}\n`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
