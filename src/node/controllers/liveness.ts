/**
 * Life and death, on the leader: judges pulses, and declares machines lost. `core/liveness`
 * decides; this room hears, waits for the quorum and writes.
 */
import { describeError } from '../../base/errors.ts'
import { isMachineId, type MachineId, machineId } from '../../base/ids.ts'
import { deadlines, replacementMs } from '../../core/liveness/deadlines.ts'
import { decideLost } from '../../core/liveness/decide.ts'
import { isEarlier, type PulseAge } from '../../core/liveness/pulse-table.ts'
import type { PulsePlace, PulseTable } from '../../core/liveness/pulse-table.ts'
import { machines } from '../../core/records/keyspace.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import { sleep } from '../../ports/clock.ts'
import type { RecordView } from '../member/follow.ts'
import { checkTable, wordOf } from '../member/pulse-types.ts'
import type { RelayAnswer, RelayedPulse, UnitReport, Verdict } from '../member/pulse-types.ts'
import type { Door } from '../wire/door.ts'
import { assertInOffice, type ControllerContext, type Office, putEvent, viewOf } from './context.ts'
import { LeftSilence } from './left-silence.ts'
import { StallWatch } from './stall-watch.ts'

/** A voter that does not tell its table in this time is not waited for. */
const tableTimeoutMs = 250
/** Longer than a pulse and its relays take; see `runs`. */
const runsForSureMs = 2500
/**
 * Longer than a quorum takes to follow once more, even where everything is slow. A leader whose quorum
 * took longer was cut off, and what it did not hear meanwhile says nothing of the others.
 */
const followedMsMax = 500
/** The longest sleep between two looks: clocks and records may have changed meanwhile. */
const longestLookMs = 200

export interface LivenessOptions {
  readonly context: ControllerContext
  readonly office: Office
  readonly table: PulseTable
  readonly door: () => Door
  readonly onReports: (machine: MachineId, reports: readonly UnitReport[]) => void
}

export class LivenessController {
  readonly #options: LivenessOptions
  readonly #machines: RecordView<MachineRecord, [string]>
  /** Machines for which "lost" is being written: their pulses are no longer acknowledged. */
  readonly #deciding = new Set<MachineId>()
  /** What each machine says of the Raft member on it (0 is none), and since when. */
  readonly #runs = new Map<MachineId, { readonly memberId: number; readonly sinceMs: number }>()
  /** The last pulse of each that was judged here: what earlier ones report is no news. */
  readonly #judged = new Map<MachineId, PulsePlace>()
  /** By this leader: no sender of an acknowledged pulse has sent it later than this. */
  readonly #acknowledgedMs = new Map<MachineId, number>()
  readonly #stalls: StallWatch
  readonly #left: LeftSilence
  #collected = false
  /** Nobody is lost before: a quorum was away, and is heard again. */
  #cutOffUntilMs = -Infinity

  constructor(options: LivenessOptions) {
    this.#options = options
    const { context, office } = options
    this.#stalls = new StallWatch(context.clock, office.signal)
    this.#left = new LeftSilence(options)
    this.#machines = viewOf(context, machines, office, () => this.#noteReturned())
    void this.#run()
  }

  /** Verdicts in the order of `pulses`, after a quorum has followed this leader once more. */
  async judge(pulses: readonly RelayedPulse[]): Promise<RelayAnswer> {
    const { context, office, table, onReports } = this.#options
    const nowMs = context.clock.monotonicMs()
    for (const { machine, ageMs, pulse } of pulses) {
      if (!isMachineId(machine)) continue
      const atMs = nowMs - ageMs
      table.heard(machine, atMs, wordOf(pulse, atMs))
      // What an overtaken pulse tells has been told again since, or changed: see `Reports`.
      if (isEarlier(pulse.place, this.#judged.get(machine))) continue
      if (pulse.place !== undefined) this.#judged.set(machine, pulse.place)
      if (this.#runs.get(machine)?.memberId !== pulse.memberId) {
        this.#runs.set(machine, { memberId: pulse.memberId, sinceMs: nowMs })
      }
      if (pulse.reports.length > 0) onReports(machine, pulse.reports)
    }
    await context.store.member.barrier()
    assertInOffice(office)
    const verdicts = pulses.map(({ machine }) => this.#verdict(machine))
    for (const [at, { machine, ageMs }] of pulses.entries()) {
      if (verdicts[at] !== 'ok' || !isMachineId(machine)) continue
      const before = this.#acknowledgedMs.get(machine) ?? -Infinity
      this.#acknowledgedMs.set(machine, Math.max(before, nowMs - ageMs))
    }
    return { term: office.term, verdicts }
  }

  /**
   * How long until the fencer of a machine whose pulses are acknowledged no more has surely stopped a
   * unit. Whatever leader before acknowledged a pulse did so before this one took office. Every machine
   * there is counts: those that its agent counts are among them.
   */
  fencedInMs(machine: MachineId, graceMs: number): number {
    const { context, office } = this.#options
    const heardMs = Math.max(office.tookOfficeMs, this.#acknowledgedMs.get(machine) ?? -Infinity)
    const allMs = replacementMs(deadlines(this.#machines.items.size), graceMs)
    return heardMs + allMs - context.clock.monotonicMs()
  }

  /**
   * The member that the machine has said it runs for long enough that no pulse under way says
   * otherwise; 0 for none, undefined while that is not sure.
   */
  runs(machine: MachineId): number | undefined {
    const told = this.#runs.get(machine)
    const nowMs = this.#options.context.clock.monotonicMs()
    return told === undefined || nowMs - told.sinceMs < runsForSureMs ? undefined : told.memberId
  }

  /** The machine has just been given a member: what it said before is no longer true. */
  forgetRuns(machine: MachineId): void {
    this.#runs.delete(machine)
  }

  #verdict(machine: string): Verdict {
    if (!isMachineId(machine) || this.#deciding.has(machine)) return 'register'
    return this.#machines.get(machine)?.value.status === 'ready' ? 'ok' : 'register'
  }

  /** A machine that has just registered counts as heard now, whoever took its registration. */
  #noteReturned(): void {
    const nowMs = this.#options.context.clock.monotonicMs()
    // All of the first list, not its first machine: nobody registers by our coming into office.
    const isFirstList = this.#known.size === 0
    for (const { key, value, modRevision } of this.#machines.items.values()) {
      if (this.#known.get(key) === modRevision) continue
      this.#known.set(key, modRevision)
      if (value.status === 'ready' && !isFirstList) {
        this.#options.table.heard(machineId(value.id), nowMs)
      }
    }
  }
  readonly #known = new Map<string, number>()

  async #run(): Promise<void> {
    const { context, office } = this.#options
    await this.#collectTables()
    while (!office.signal.aborted) {
      let waitMs = longestLookMs
      try {
        waitMs = await this.#look()
      } catch (error) {
        if (!office.signal.aborted) {
          context.log.warn('a lost machine was not written', { cause: describeError(error) })
        }
      }
      await sleep(context.clock, waitMs, office.signal)
    }
  }

  /** What the others have heard, standbys too: without it, an election would make many look dead. */
  async #collectTables(): Promise<void> {
    const { context, office, table, door } = this.#options
    const { voters, outgoing, learners } = context.store.member.status().config
    const others = context.store
      .knownMembers()
      .filter(({ id }) => id !== context.store.member.id)
      .filter(({ id }) => [...voters, ...outgoing, ...learners].includes(id))
    const asking = others.map(async ({ address }) => {
      try {
        const calls = await door().callsTo(address)
        const answer = await calls.call('pulse.table', {}, tableTimeoutMs)
        table.merge(agesOf(answer), context.clock.monotonicMs())
      } catch (error) {
        context.log.debug('a voter did not tell its table', { cause: describeError(error) })
      }
    })
    await Promise.race([
      Promise.all(asking),
      sleep(context.clock, 2 * tableTimeoutMs, office.signal),
    ])
    this.#collected = true
  }

  /** How long until the next look. */
  async #look(): Promise<number> {
    const { context, office, table } = this.#options
    if (!this.#collected || this.#machines.at === undefined) return 10
    const ready = this.#machines.values.filter(({ status }) => status === 'ready')
    const { lostMs } = deadlines(ready.length)
    const doubtfulForMs = this.#stalls.doubtfulForMs(lostMs)
    if (doubtfulForMs > 0) return doubtfulForMs
    const nowMs = context.clock.monotonicMs()
    if (nowMs < this.#cutOffUntilMs) return this.#cutOffUntilMs - nowMs
    this.#left.look(this.#machines)
    const decision = decideLost({
      nowMs,
      tookOfficeMs: office.tookOfficeMs,
      deadlines: deadlines(ready.length),
      machines: ready.map(({ id }) => ({
        id: machineId(id),
        heardAtMs: table.heardAtMs(machineId(id)),
        silentUntilMs: table.silentUntilMs(machineId(id)),
      })),
    })
    if (decision.braked.length > 0) {
      context.log.warn('many machines look lost after an election; waiting for their pulses', {
        machines: decision.braked.length,
      })
    }
    if (decision.lost.length > 0) {
      if (!(await this.#isFollowed(lostMs))) return longestLookMs
      // Whoever was heard while that took lives.
      const silent = decision.lost.filter((id) => (table.heardAtMs(id) ?? -Infinity) <= nowMs)
      await Promise.all(silent.map((id) => this.#declareLost(id, nowMs)))
    }
    const { nextLookMs } = decision
    const untilMs = nextLookMs === undefined ? longestLookMs : nextLookMs - nowMs
    return Math.max(1, Math.min(longestLookMs, untilMs))
  }

  /**
   * Whether a quorum follows still: it may be this leader that is cut off, and knows it only later than
   * it misses the others. What it wrote then would wait in its log, and hold once it leads again.
   */
  async #isFollowed(lostMs: number): Promise<boolean> {
    const { clock, store } = this.#options.context
    const askedMs = clock.monotonicMs()
    await store.member.barrier()
    assertInOffice(this.#options.office)
    const nowMs = clock.monotonicMs()
    if (nowMs - askedMs <= followedMsMax) return true
    this.#cutOffUntilMs = nowMs + lostMs
    return false
  }

  async #declareLost(id: MachineId, nowMs: number): Promise<void> {
    const { context, office, table } = this.#options
    const stored = this.#machines.get(id)
    if (stored === undefined || this.#deciding.has(id)) return
    const heardAtMs = table.heardAtMs(id)
    const silentMs = Math.round(nowMs - (heardAtMs ?? office.tookOfficeMs))
    this.#deciding.add(id)
    try {
      const { name } = stored.value
      const record = {
        ...stored.value,
        status: 'lost' as const,
        statusSinceMs: context.clock.wallMs(),
      }
      const message = `${name} (${id.slice(0, 8)}) is lost: no pulse for ${silentMs} ms`
      const written = await context.store.transact({
        compare: [{ target: 'modRevision', key: stored.key, is: '=', to: stored.modRevision }],
        then: [
          machines.put(record, id),
          putEvent(context, { kind: 'machine.lost', severity: 'alarm', message, machine: id }),
        ],
        otherwise: [],
        term: office.term,
      })
      // Somebody wrote the record first: it has just registered, or was removed.
      if (!written.succeeded) return
      context.log.warn('machine lost', { machine: id, silentMs })
      // Until the view shows it, a pulse would still be answered as if nothing were decided.
      while ((this.#machines.at ?? 0) < written.revision && !office.signal.aborted) {
        await sleep(context.clock, 1, office.signal)
      }
    } finally {
      this.#deciding.delete(id)
    }
  }
}

const agesOf = (answer: unknown): PulseAge[] =>
  checkTable(answer).ages.map((each) => ({ ...each, machine: machineId(each.machine) }))
