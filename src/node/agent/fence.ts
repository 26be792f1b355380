/**
 * The agent's side of fencing: which containers the fencer guards, and until when. A unit that must
 * never run twice starts only while a pulse is acknowledged, under a placement that was read after
 * the first of the pulses in a row without a gap: nobody has taken it away since.
 */
import { describeError } from '../../base/errors.ts'
import type { Generation, MachineId, UnitName } from '../../base/ids.ts'
import { Once } from '../../base/once.ts'
import { deadlines, killAllowanceMs } from '../../core/liveness/deadlines.ts'
import type { Condemned, FencerAnswer, Guarded } from '../../core/liveness/fencer.ts'
import { readLabels } from '../../core/reconcile/labels.ts'
import { generationOf, placements } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { PlacementRecord } from '../../core/records/schemas.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import type { ContainerFacts } from '../../ports/containers.ts'
import type { Fencer } from '../../ports/fencer.ts'
import type { Log } from '../../ports/log.ts'
import type { putEvent } from '../controllers/context.ts'
import type { StoreAccess } from '../member/store-access.ts'

/**
 * So long an agent waits for its first acknowledged pulse before it asks who guards what runs: with the time
 * until it was started again less than F (`core/liveness/deadlines.ts`).
 */
const firstWordMs = 750

export interface FenceOptions {
  readonly machineId: MachineId
  readonly fencer: Fencer
  readonly store: Pick<StoreAccess, 'range'>
  readonly clock: Clock
  readonly log: Log
  readonly machineCount: () => number
  /** Containers were condemned, or the fencer is known for the first time. */
  readonly onChange: () => void
  /** The fencer has stopped them; it may say so twice of one, if the agent started anew. */
  readonly onFenced: (condemned: readonly Condemned[]) => void
}

export class Fence {
  readonly #options: FenceOptions
  #untilMs = -Infinity
  /** Grows when the deadline passes: what was read before holds no longer. */
  #gaps = 0
  #isLapsed = true
  /** Guarded, or about to be. Invariant: none is condemned. */
  readonly #guarded = new Map<string, Guarded>()
  readonly #condemned = new Map<string, Condemned>()
  /** Of starts under way: no list of the engine's need show them yet. */
  readonly #starting = new Set<string>()
  readonly #dropped = new Set<string>()
  readonly #told = new Set<string>()
  #hasAsked = false
  readonly #telling = new Once(() => this.#tellFencer())
  readonly #beganMs: number
  #firstAsk: Timer | undefined

  constructor(options: FenceOptions) {
    this.#options = options
    this.#beganMs = options.clock.monotonicMs()
  }

  /** Stopped by the fencer, or about to be: their ends say nothing about their units. */
  get condemned(): ReadonlySet<string> {
    this.#look()
    return new Set(this.#condemned.keys())
  }

  /** A pulse that was sent then has been acknowledged. */
  acknowledged(sentMs: number): void {
    this.#look()
    const { fenceMs } = deadlines(this.#options.machineCount())
    this.#untilMs = Math.max(this.#untilMs, sentMs + fenceMs)
    this.#isLapsed = this.#options.clock.monotonicMs() >= this.#untilMs
    if (this.#guarded.size > 0) this.#telling.ask()
  }

  /**
   * What the engine runs, as it says. False while a fencer of an agent before may know more of it: then
   * nothing is to be decided yet.
   */
  observe(containers: readonly ContainerFacts[]): boolean {
    this.#look()
    const present = new Map(containers.map((each) => [each.id, each]))
    let isUsed = false
    for (const { id, state, labels } of containers) {
      const owner = readLabels(labels)
      if (owner?.fenceGraceMs === undefined) continue
      isUsed = true
      if (hasEnded(state) || this.#guarded.has(id) || this.#condemned.has(id)) continue
      this.#guarded.set(id, { id, unit: owner.unit, graceMs: owner.fenceGraceMs })
    }
    for (const id of this.#guarded.keys()) {
      const state = present.get(id)?.state
      if ((state === undefined || hasEnded(state)) && !this.#starting.has(id)) this.#drop(id)
    }
    for (const id of this.#condemned.keys()) {
      if (!present.has(id) && !this.#starting.has(id)) this.#drop(id)
    }
    if (this.#dropped.size > 0) this.#telling.ask()
    else if (isUsed && !this.#hasAsked) this.#askFirst()
    return this.#hasAsked || !isUsed
  }

  /**
   * Rejects with `Held` while the unit may not start here; otherwise gives what `guard` is to be given.
   */
  async permit(unit: UnitName, generation: Generation): Promise<number> {
    this.#look()
    if (this.#isLapsed) throw new Held()
    const gaps = this.#gaps
    const placed = await this.#placement(unit)
    const isOurs = placed !== undefined && generationOf(placed) === generation
    const mayRun = isOurs && placed.value.fence !== undefined && !placed.value.fence.leaving
    if (!mayRun || !this.#holdsSince(gaps)) throw new Held()
    return gaps
  }

  async #placement(unit: UnitName): Promise<Stored<PlacementRecord> | undefined> {
    const { store, machineId, log } = this.#options
    try {
      const key = placements.key(machineId, unit)
      const { items } = await store.range({ key }, 'linearizable')
      return items[0] === undefined ? undefined : placements.read(items[0])
    } catch (error) {
      log.debug('a placement was not read', { unit, cause: describeError(error) })
      return undefined
    }
  }

  /**
   * Resolves when the fencer guards the container, and it may start now; rejects with `Held` when it
   * may not. `started` is called later in any case.
   */
  async guard(permit: number, container: Guarded): Promise<void> {
    const { id } = container
    this.#starting.add(id)
    this.#guarded.set(id, container)
    let guarded = 0
    try {
      guarded = (await this.#tell()).guarded
    } catch (error) {
      throw new Held(describeError(error))
    }
    const isGuarded = guarded >= this.#guarded.size && this.#guarded.has(id)
    if (!isGuarded || !this.#holdsSince(permit)) throw new Held()
  }

  /** Its start has come to an end, good or bad. */
  started(id: string): void {
    this.#starting.delete(id)
  }

  #holdsSince(gaps: number): boolean {
    this.#look()
    return !this.#isLapsed && this.#gaps === gaps
  }

  /** A fencer that has died with an agent before is followed by one that knows of no deadline, and stops all. */
  #askFirst(): void {
    const { clock } = this.#options
    const leftMs = this.#beganMs + firstWordMs - clock.monotonicMs()
    if (this.#untilMs !== -Infinity || leftMs <= 0) {
      this.#firstAsk?.cancel()
      this.#telling.ask()
    } else this.#firstAsk ??= clock.after(leftMs, () => this.#telling.ask())
  }

  /** Whether the deadline has passed: the fencer sees the same. */
  #look(): void {
    if (this.#isLapsed || this.#options.clock.monotonicMs() < this.#untilMs) return
    this.#isLapsed = true
    this.#gaps += 1
    if (this.#guarded.size === 0) return
    for (const { id, unit } of this.#guarded.values()) this.#condemn({ id, unit, lateMs: 0 })
    this.#telling.ask()
  }

  #condemn(one: Condemned): void {
    this.#guarded.delete(one.id)
    this.#condemned.set(one.id, one)
  }

  #drop(id: string): void {
    this.#guarded.delete(id)
    this.#condemned.delete(id)
    this.#told.delete(id)
    this.#dropped.add(id)
  }

  async #tellFencer(): Promise<void> {
    try {
      await this.#tell()
    } catch (error) {
      this.#options.log.warn('no fencer guards the units of this machine that must not run twice', {
        cause: describeError(error),
      })
      if (!this.#hasAsked) {
        this.#hasAsked = true
        this.#options.onChange()
      }
    }
  }

  async #tell(): Promise<FencerAnswer> {
    const { fencer, onChange } = this.#options
    const drop = [...this.#dropped]
    const untilMs = this.#untilMs === -Infinity ? undefined : this.#untilMs
    const guard = [...this.#guarded.values()]
    const answer = await fencer.tell({ untilMs, guard, drop })
    for (const id of drop) this.#dropped.delete(id)
    const isFirst = !this.#hasAsked
    this.#hasAsked = true
    const isNews = this.#hear(answer.condemned.filter(({ id }) => !drop.includes(id)))
    if (isFirst || isNews) onChange()
    return answer
  }

  /** True when something was condemned that was not known to be. */
  #hear(condemned: readonly Condemned[]): boolean {
    const untold = condemned.filter(({ id }) => !this.#told.has(id))
    for (const one of untold) {
      this.#told.add(one.id)
      this.#condemn(one)
    }
    if (untold.length > 0) this.#options.onFenced(untold)
    return untold.length > 0
  }
}

const hasEnded = (state: ContainerFacts['state']): boolean => state === 'exited' || state === 'dead'

/** The unit may not start now; it is nobody's fault, and looked at again. */
export class Held extends Error {
  override readonly name = 'Held'

  constructor(message = 'it waits until this machine is heard: it must not run twice') {
    super(message)
  }
}

/** For people. */
export function fencedEvent(
  machine: MachineId,
  machineName: string,
  { unit, lateMs }: Condemned,
): Parameters<typeof putEvent>[1] {
  if (lateMs <= killAllowanceMs(0)) {
    const message = `${unit} was stopped on ${machineName}: nobody had said for too long that the machine is heard (Fencing=stop)`
    return { kind: 'unit.fenced', severity: 'warning', message, unit, machine }
  }
  const message = `${machineName} stood still until ${lateMs} ms after ${unit} had to be stopped there: from its return until its stop just after, it may have run beside its replacement`
  return { kind: 'unit.overlap', severity: 'alarm', message, unit, machine }
}
