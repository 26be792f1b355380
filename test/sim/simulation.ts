/** One seed: a cluster, its faults, its healing, and the verdict. */
import { describeError } from '../../src/base/errors.ts'
import { missing } from './calm.ts'
import { Clients } from './clients.ts'
import { type FaultKind, Faults } from './faults.ts'
import { worldInvariants } from './invariants/all.ts'
import { Violation } from './invariants/invariant.ts'
import { linearizable } from './invariants/linearizable.ts'
import { watches } from './invariants/watches.ts'
import { Watchers } from './watchers.ts'
import { Workload } from './workload.ts'
import { World } from './world.ts'

const faultyMs = { min: 30_000, max: 45_000 }
/** The longest backoff of a machine that joins is 15 s; units start again after seconds. */
const calmWithinMs = 60_000
/** Once calm, it stays so. */
const staysCalmMs = 3_000
/** Clients write this often after the healing before the end. */
const writesAfterHealing = 10

export interface SeedResult {
  readonly seed: number
  /** Undefined when all was well. */
  readonly failure: string | undefined
  readonly faults: ReadonlyMap<FaultKind, number>
  /** The same in every run of the seed. */
  readonly hash: string
  readonly timeline: readonly string[]
  readonly simulatedMs: number
  readonly events: number
  readonly revisions: number
  readonly operations: Clients['counts']
  /** From the healing until the cluster was as it should be. */
  readonly healedAfterMs: number
}

export interface SeedOptions {
  readonly onLine?: (line: string) => void
  /** Faults end at this simulated time. */
  readonly untilMs?: number
}

const timelineLines = 250

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  let clients: Clients | undefined
  let watchers: Watchers | undefined
  const world = new World({
    seed,
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    invariants: [
      ...worldInvariants,
      (of) => linearizable(of, (clients = new Clients(of))),
      (of) => watches(of, (watchers = new Watchers(of))),
    ],
  })
  if (clients === undefined || watchers === undefined) throw new Error('every part is made')
  const faults = new Faults(world)
  const workload = new Workload(world)
  let failure: string | undefined
  let healedAfterMs = 0
  // On a machine a rejection that nobody handles ends the process.
  const onUnhandled = (reason: unknown): void => world.failWith(reason)
  process.on('unhandledRejection', onUnhandled)
  try {
    healedAfterMs = await live(world, clients, workload, faults, options.untilMs)
  } catch (error) {
    failure = error instanceof Violation ? error.message : describeFailure(error)
    world.timeline.note('VERDICT', failure)
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
  for (const [name, count] of Object.entries(clients.counts)) {
    world.timeline.digest(`${name} ${count}`)
  }
  world.timeline.digest(world.committed.at(world.committed.newest)?.hash ?? '')
  return {
    seed,
    failure,
    faults: faults.counts,
    hash: world.timeline.hashHex(),
    timeline: world.timeline.tail(timelineLines),
    simulatedMs: world.time.nowMs,
    events: world.events,
    revisions: world.committed.newest,
    operations: clients.counts,
    healedAfterMs,
  }
}

async function live(
  world: World,
  clients: Clients,
  workload: Workload,
  faults: Faults,
  untilMs: number | undefined,
): Promise<number> {
  if (!(await world.begin())) throw new Violation('beginning', 'the cluster did not come up')
  world.timeline.note('world', `${world.machines.length} machines, ${world.voters} voters`)
  clients.start()
  workload.start()
  faults.start()
  const faultyForMs = world.random.integer(faultyMs.min, faultyMs.max)
  await world.run(Math.min(faultyForMs, (untilMs ?? Infinity) - world.time.nowMs))
  faults.healAll()
  const healedMs = world.time.nowMs
  await becomesCalm(world, clients, workload)
  const calmAfterMs = world.time.nowMs - healedMs
  clients.isStopped = true
  await world.run(staysCalmMs)
  const again = missing(world)
  if (again.length > 0) throw new Violation('liveness', `calm did not last: ${again.join('; ')}`)
  for (const invariant of world.invariants) invariant.atEnd?.()
  return calmAfterMs
}

async function becomesCalm(world: World, clients: Clients, workload: Workload): Promise<void> {
  let areWanted = false
  void workload.wantAll().then(() => {
    areWanted = true
  })
  const written = clients.counts.written + writesAfterHealing
  const deadlineMs = world.time.nowMs + calmWithinMs
  let lacks = ['the units that people want']
  while (world.time.nowMs < deadlineMs) {
    await world.run(250)
    lacks = areWanted ? missing(world) : ['the units that people want']
    if (clients.counts.written < written) lacks.push('writes that succeed')
    if (lacks.length === 0) return
  }
  const text = `${calmWithinMs / 1000} s after everything was healed: ${lacks.join('; ')}`
  throw new Violation('liveness', text)
}

const describeFailure = (error: unknown): string =>
  `an error came through: ${error instanceof Error ? (error.stack ?? error.message) : describeError(error)}`
