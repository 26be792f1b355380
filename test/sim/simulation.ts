/** One seed: a cluster, its faults, its healing, and the verdict. */
import { describeError } from '../../src/base/errors.ts'
import { missing } from './calm.ts'
import { Clients } from './clients.ts'
import type { EffectKind } from './effects.ts'
import { Faults } from './faults.ts'
import type { FaultKind } from './faults/kinds.ts'
import { Holders } from './holders.ts'
import { worldInvariants } from './invariants/all.ts'
import { membersBehind } from './invariants/convergence.ts'
import { Violation } from './invariants/invariant.ts'
import { linearizable } from './invariants/linearizable.ts'
import { watches } from './invariants/watches.ts'
import { leases } from './invariants/leases.ts'
import { Watchers } from './watchers.ts'
import { Workload } from './workload.ts'
import { Stopped, World } from './world.ts'

/** With what comes before and after, no seed is shorter than a minute. */
const faultyMs = { min: 57_000, max: 65_000 }
/** The longest backoff of a machine that joins is 15 s; units start again after seconds. */
const calmWithinMs = 60_000
/** Once calm, it stays so. */
const staysCalmMs = 3_000
/** For what was committed last to reach every member. */
const catchUpMs = 2_000
/** Clients write this often after the healing before the end. */
const writesAfterHealing = 10

export interface SeedResult {
  readonly seed: number
  /** Undefined when all was well. */
  readonly failure: string | undefined
  /** `until` was reached: nothing more is known. */
  readonly isStopped: boolean
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly effects: Readonly<Record<EffectKind, number>>
  /** The same in every run of the seed. */
  readonly hash: string
  /** The last of it, and how every machine stands; empty when all was well. */
  readonly timeline: readonly string[]
  readonly simulatedMs: number
  readonly machines: number
  readonly events: number
  readonly revisions: number
  readonly operations: Clients['counts']
  /** From the healing until the cluster was as it should be. */
  readonly healedAfterMs: number
}

export interface SeedOptions {
  readonly onLine?: (line: string) => void
  /** The seed is stopped at this simulated time, whatever goes on. */
  readonly untilMs?: number
  /** Before anything has happened in it. */
  readonly onWorld?: (world: World) => void
}

const timelineLines = 250

/** What acts in a world. */
interface Actors {
  readonly clients: Clients
  readonly holders: Holders
  readonly workload: Workload
  readonly faults: Faults
}

interface Verdict {
  readonly failure: string | undefined
  readonly healedAfterMs: number
}

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  const { world, actors } = makeWorld(seed, options)
  const { clients, holders, faults } = actors
  const { failure, healedAfterMs } = await judge(world, actors)
  for (const [name, count] of Object.entries(clients.counts)) {
    world.timeline.digest(`${name} ${count}`)
  }
  world.timeline.digest(world.committed.digest)
  const isStopped = failure === stopped
  const timeline = failure === undefined ? [] : world.timeline.tail(timelineLines)
  return {
    seed,
    failure: isStopped ? undefined : failure,
    isStopped,
    faults: faults.counts,
    effects: world.effects.total(world, holders.counts),
    hash: world.timeline.hashHex(),
    timeline: failure === undefined ? [] : [...timeline, ...standing(world)],
    simulatedMs: world.time.nowMs,
    machines: world.machines.length,
    events: world.events,
    revisions: world.committed.newest,
    operations: clients.counts,
    healedAfterMs,
  }
}

function makeWorld(seed: number, options: SeedOptions): { world: World; actors: Actors } {
  let clients: Clients | undefined
  let holders: Holders | undefined
  const world = new World({
    ...options,
    seed,
    invariants: [
      ...worldInvariants,
      (of) => linearizable(of, (clients = new Clients(of))),
      (of) => leases(of, (holders = new Holders(of))),
      (of) => watches(of, new Watchers(of)),
    ],
  })
  if (clients === undefined || holders === undefined) throw new Error('every part is made')
  options.onWorld?.(world)
  const faults = new Faults(world)
  return { world, actors: { clients, holders, workload: new Workload(world), faults } }
}

const stopped = 'stopped'

async function judge(world: World, actors: Actors): Promise<Verdict> {
  // On a machine a rejection that nobody handles ends the process.
  const onUnhandled = (reason: unknown): void => world.failWith(reason)
  process.on('unhandledRejection', onUnhandled)
  try {
    return { failure: undefined, healedAfterMs: await live(world, actors) }
  } catch (error) {
    if (error instanceof Stopped) return { failure: stopped, healedAfterMs: 0 }
    const failure = error instanceof Violation ? error.message : describeFailure(error)
    world.timeline.note('VERDICT', failure)
    return { failure, healedAfterMs: 0 }
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
}

/** How every machine stands, for whoever looks at a seed. */
function standing(world: World): string[] {
  return [
    `at ${world.time.nowMs.toFixed(3)} ms, revision ${world.committed.newest}, ${world.voters} voters wanted:`,
    ...world.machines.flatMap(({ name, process, hasPower, isPaused, engine }) => {
      const state = !hasPower ? 'off' : isPaused ? 'stands still' : process ? 'runs' : 'no process'
      const running = engine.running.map((container) => container.name).join(' ')
      const member = process?.core?.member?.member.raft.describe().split('\n') ?? []
      return [`${name}: ${state}; containers: ${running}`, ...member.map((line) => `  ${line}`)]
    }),
  ]
}

async function live(world: World, actors: Actors): Promise<number> {
  const { clients, holders, workload, faults } = actors
  if (!(await world.begin())) throw new Violation('beginning', 'the cluster did not come up')
  world.timeline.note('world', `${world.machines.length} machines, ${world.voters} voters`)
  clients.start()
  holders.start()
  workload.start()
  faults.start()
  await world.run(world.random.integer(faultyMs.min, faultyMs.max))
  faults.healAll()
  holders.isStopped = true
  const healedMs = world.time.nowMs
  await becomesCalm(world, actors)
  const calmAfterMs = world.time.nowMs - healedMs
  clients.isStopped = true
  await world.run(staysCalmMs)
  const again = missing(world)
  if (again.length > 0) throw new Violation('liveness', `calm did not last: ${again.join('; ')}`)
  // Somebody always writes something; what is committed just now is on its way to some.
  if (!(await world.runUntil(() => membersBehind(world).length === 0, catchUpMs))) {
    throw new Violation('convergence', membersBehind(world).join('; '))
  }
  for (const invariant of world.invariants) invariant.atEnd?.()
  return calmAfterMs
}

async function becomesCalm(world: World, actors: Actors): Promise<void> {
  const { clients, holders, workload } = actors
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
    if (!holders.areGone) lacks.push('an end of the leases that nobody keeps alive')
    if (lacks.length === 0) return
  }
  const text = `${calmWithinMs / 1000} s after everything was healed: ${lacks.join('; ')}`
  throw new Violation('liveness', text)
}

const describeFailure = (error: unknown): string =>
  `an error came through: ${error instanceof Error ? (error.stack ?? error.message) : describeError(error)}`
