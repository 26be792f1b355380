/**
 * Tells the planner that is kept what changes in the store, and what changes by itself as time passes: what is
 * told is what `snapshotOf` would give of the same records.
 *
 * Invariant: what was told differs from the records only for what is listed as changed.
 */
import { machineId, unitName } from '../../base/ids.ts'
import { Pairs } from '../../base/pairs.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  CrashRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
} from '../../core/records/schemas.ts'
import { pauseLeftMs } from '../../core/scheduler/crash-loop.ts'
import { type Changes, Scheduler } from '../../core/scheduler/scheduler.ts'
import type {
  Decision,
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  Snapshot,
} from '../../core/scheduler/types.ts'
import type { Clock } from '../../ports/clock.ts'
import { Stretches } from '../../ports/stretches.ts'
import type { ChangesView } from './changes.ts'
import type { Fences } from './fence.ts'
import type { Held, Part } from './held.ts'
import { partsOf, placeOf, placesOf } from './places.ts'
import { placementOf, toMachine, withCrashes } from './snapshot.ts'
import type { UnitRules } from './unit-rules.ts'
import type { Asked } from './unit-words.ts'

/** Told in one go, before it is looked at the clock. */
const batchMax = 64

export interface FedRecords {
  readonly machines: ChangesView<MachineRecord, [string]>
  readonly units: ChangesView<UnitRecord, [string]>
  readonly placements: ChangesView<PlacementRecord, [string, string]>
  readonly crashes: ChangesView<CrashRecord, [string]>
  readonly held: Held
}

type Lists = {
  -readonly [What in keyof Changes]-?: Changes[What] extends Iterable<infer Item> | undefined
    ? Item[]
    : never
}

export class SchedulerFeed {
  readonly #records: FedRecords
  readonly #rules: UnitRules
  readonly #fences: Fences
  readonly #aside: ReadonlyMap<string, number>
  readonly scheduler = new Scheduler()
  readonly #units = new Map<string, SchedulerUnit>()
  readonly #machines = new Map<string, SchedulerMachine>()
  /** Of machines and units: placements, and what is leaving. */
  readonly #places = new Pairs()
  readonly #leaving = new Pairs()
  /** Of volumes and machines that hold them, and of volumes and units that use them. */
  readonly #volumes = new Pairs()
  readonly #users = new Pairs()
  readonly #changed = {
    units: new Set<string>(),
    machines: new Set<string>(),
    places: new Set<string>(),
    volumes: new Set<string>(),
  }
  /** Places and machines that change as time passes. */
  readonly #ageing = new Set<string>()
  readonly #draining = new Set<string>()
  /** Places whose record may lag behind that of their unit. */
  readonly #stale = new Set<string>()
  /** By place. */
  #words: ReadonlyMap<string, Asked> = new Map()

  /** `aside`: units, in the revision of their record in which nobody plans for them. */
  constructor(
    records: FedRecords,
    rules: UnitRules,
    fences: Fences,
    aside: ReadonlyMap<string, number>,
  ) {
    this.#records = records
    this.#rules = rules
    this.#fences = fences
    this.#aside = aside
    const { machines, units, placements, crashes, held } = records
    const views = [machines, units, placements, crashes, held.leaving, held.volumes]
    for (const view of views) view.changedAll()
  }

  /** All there is to tell by now, with pauses in which the loop sees to others. */
  async catchUp(clock: Clock, signal: AbortSignal): Promise<void> {
    const stretches = new Stretches(clock, signal)
    while (!signal.aborted && this.#tell(batchMax, clock.wallMs())) {
      if (stretches.isOver) await stretches.rest()
    }
  }

  /** All there is to tell at this moment; `said`: of what `asked` asks. */
  bring(wallMs: number, said: readonly Asked[]): void {
    const words = new Map(said.map((each) => [placeOf(each.stored.value), each]))
    for (const key of [...this.#words.keys(), ...words.keys()]) this.#changed.places.add(key)
    this.#words = words
    for (const { value } of this.#records.crashes.items.values())
      this.#changed.units.add(value.unit)
    for (const id of this.#draining) this.#changed.machines.add(id)
    for (const key of this.#ageing) this.#changed.places.add(key)
    while (this.#tell(Infinity, wallMs));
  }

  /** Placements of which the next plan hangs on what their agents say. */
  asked(): readonly Stored<PlacementRecord>[] {
    const { placements } = this.#records
    const places = new Set(this.scheduler.asked().map(placeOf))
    for (const key of this.#ageing) {
      if (placements.get(...partsOf(key))?.value.fence?.changed === true) places.add(key)
    }
    return [...places].flatMap((key) => placements.get(...partsOf(key)) ?? [])
  }

  /** The copy of a unit that must never run twice is surely dead. */
  isOver(placement: PlacementRecord): boolean {
    const word = this.#words.get(placeOf(placement))
    const { machine, unit, fence } = placement
    const stored = this.#records.placements.get(machine, unit)
    const isCurrent = word !== undefined && word.stored.modRevision === stored?.modRevision
    if (isCurrent && fence?.leaving === true && word.runs) return true
    return this.#fences.isOver(placement, isCurrent && word.isHeard)
  }

  /** As `UnitRules.of`; undefined, too, of a unit that is set aside. */
  rulesOf(item: Stored<UnitRecord>): SchedulerUnit | undefined {
    const isAside = this.#aside.get(item.value.name) === item.modRevision
    return isAside ? undefined : this.#rules.of(item)
  }

  /** The other placements of a unit. */
  others(unit: string, machine: string): readonly Stored<PlacementRecord>[] {
    return [...this.#places.firstsOf(unit)].flatMap((id) =>
      id === machine ? [] : (this.#records.placements.get(id, unit) ?? []),
    )
  }

  /** The planner takes for granted that they are carried out: it is told what has come of them. */
  decided(decisions: readonly Decision[]): void {
    for (const place of decisions.flatMap(placesOf)) this.#changed.places.add(place)
  }

  /** What `partOf` says for places whose records may lag behind; those with nothing to do are forgotten. */
  lagging(partOf: (placed: Stored<PlacementRecord>) => Part | undefined): Part[] {
    const parts: Part[] = []
    for (const key of [...this.#stale]) {
      const placed = this.#records.placements.get(...partsOf(key))
      const part = placed === undefined ? undefined : partOf(placed)
      if (part === undefined) this.#stale.delete(key)
      else parts.push(part)
    }
    return parts
  }

  /** Until something changes by itself, but for what `Scheduler.isRestless` says. */
  quietMs(wallMs: number): number {
    const { machines, placements, crashes } = this.#records
    const until = (atMs: number | undefined): number =>
      atMs === undefined || atMs <= wallMs ? Infinity : atMs - wallMs
    let quietMs = Infinity
    for (const id of this.#draining) {
      quietMs = Math.min(quietMs, until(machines.get(id)?.value.drain?.deadlineMs))
    }
    for (const { value } of crashes.items.values()) {
      quietMs = Math.min(quietMs, pauseLeftMs(value, wallMs) || Infinity)
    }
    for (const key of this.#ageing) {
      const placed = placements.get(...partsOf(key))?.value
      quietMs = Math.min(quietMs, (placed && this.#fences.leftMs(placed)) ?? Infinity)
    }
    return quietMs
  }

  /** True when there was something to tell. */
  #tell(max: number, wallMs: number): boolean {
    this.#collect()
    const lists: Lists = {
      ...{ machines: [], machinesGone: [], units: [], unitsGone: [] },
      ...{ placements: [], placementsGone: [], leaving: [], leavingGone: [] },
      ...{ volumes: [], volumesGone: [] },
    }
    const { units, machines, places, volumes } = this.#changed
    let told = 0
    const take = (names: Set<string>, tell: (name: string) => void): void => {
      for (const name of names) {
        if (told >= max) return
        told += 1
        names.delete(name)
        tell(name)
      }
    }
    take(units, (name) => this.#tellUnit(name, wallMs, lists))
    take(machines, (id) => this.#tellMachine(id, wallMs, lists))
    take(places, (key) => this.#tellPlace(key, wallMs, lists))
    take(volumes, (key) => this.#tellVolume(key, lists))
    this.scheduler.update(lists)
    return told > 0
  }

  #collect(): void {
    const { machines, units, placements, crashes, held } = this.#records
    for (const key of machines.takeChanged()) {
      this.#changed.machines.add(namesIn(machines, key)[0])
    }
    for (const view of [units, crashes]) {
      for (const key of view.takeChanged()) {
        const [name] = namesIn(view, key)
        this.#changed.units.add(name)
        this.#changedPlacesOf(name)
      }
    }
    for (const [view, index] of [
      [placements, this.#places],
      [held.leaving, this.#leaving],
    ] as const) {
      for (const key of view.takeChanged()) {
        const [machine, unit] = namesIn(view, key)
        index.set(machine, unit, view.items.has(key))
        this.#changed.places.add(placeOf({ machine, unit }))
      }
    }
    for (const key of held.volumes.takeChanged()) this.#changed.volumes.add(key)
    if (held.settings.takeChanged().size > 0) this.#allUsersAreStale()
  }

  #changedPlacesOf(unit: string): void {
    for (const machine of this.#places.firstsOf(unit)) {
      this.#changed.places.add(placeOf({ machine, unit }))
    }
  }

  /** What is recorded of volumes hangs on what all releases there are can read. */
  #allUsersAreStale(): void {
    for (const [unit, { needs }] of this.#units) {
      if ((needs.volumes ?? []).length > 0) this.#changedPlacesOf(unit)
    }
  }

  #tellUnit(name: string, wallMs: number, lists: Lists): void {
    const { units, crashes } = this.#records
    const item = units.get(name)
    if (item === undefined) this.#rules.forget(units.kind.key(name))
    const read = item && this.rulesOf(item)
    const crash = crashes.get(name)?.value
    const unit = read && item && withCrashes(read, item.value, crash, wallMs)
    const told = this.#units.get(name)
    if (isSameUnit(told, unit)) return
    for (const volume of told?.needs.volumes ?? []) this.#users.set(volume, name, false)
    for (const volume of unit?.needs.volumes ?? []) this.#users.set(volume, name, true)
    if (unit === undefined) {
      this.#units.delete(name)
      lists.unitsGone.push(unitName(name))
    } else {
      this.#units.set(name, unit)
      lists.units.push(unit)
    }
    this.#changedPlacesOf(name)
  }

  #tellMachine(id: string, wallMs: number, lists: Lists): void {
    const record = this.#records.machines.get(id)?.value
    const told = this.#machines.get(id)
    const machine =
      record === undefined || record.status === 'left' ? undefined : toMachine(record, wallMs)
    if (record?.drain === undefined) this.#draining.delete(id)
    else this.#draining.add(id)
    if (isSame(told, machine)) return
    if (machine === undefined) {
      this.#machines.delete(id)
      lists.machinesGone.push(machineId(id))
    } else {
      // Who has looked the labels up keeps what he has found.
      const known = isSame(told?.metadata, machine.metadata) ? told?.metadata : undefined
      const tells = { ...machine, metadata: known ?? machine.metadata }
      this.#machines.set(id, tells)
      lists.machines.push(tells)
    }
    for (const unit of this.#places.secondsOf(id)) this.#changed.places.add(`${id}/${unit}`)
  }

  #tellPlace(key: string, wallMs: number, lists: Lists): void {
    const [machine, unit] = partsOf(key)
    const place = { machine: machineId(machine), unit: unitName(unit) }
    const stored = this.#records.placements.get(machine, unit)
    const placement = stored && this.#placementOf(stored, wallMs)
    if (placement === undefined) lists.placementsGone.push(place)
    else lists.placements.push(placement)
    const left = this.#leavingAt(machine, unit)
    if (left === undefined) lists.leavingGone.push(place)
    else lists.leaving.push(left)
    if (stored !== undefined && this.#ages(stored.value)) this.#ageing.add(key)
    else this.#ageing.delete(key)
    this.#stale.add(key)
  }

  #tellVolume(key: string, lists: Lists): void {
    const { volumes } = this.#records.held
    const [name, machine] = namesIn(volumes, key)
    const isThere = volumes.items.has(key)
    this.#volumes.set(name, machine, isThere)
    lists[isThere ? 'volumes' : 'volumesGone'].push({ name, machine: machineId(machine) })
    for (const unit of this.#users.secondsOf(name)) this.#changedPlacesOf(unit)
  }

  #placementOf({ value }: Stored<PlacementRecord>, wallMs: number): SchedulerPlacement | undefined {
    const unit = this.#units.get(value.unit)
    const record = this.#records.units.get(value.unit)?.value
    // What another release has written and this one cannot read stays where it is.
    if (unit === undefined && record !== undefined && record.desired !== 'inactive')
      return undefined
    return placementOf(value, {
      hash: unit && record?.hash,
      isAlone: unit?.rules.fencing === 'stop',
      isOver: this.isOver(value),
      wallMs,
    })
  }

  #leavingAt(machine: string, unit: string): SchedulerLeaving | undefined {
    const placed = this.#records.placements.get(machine, unit)?.value
    const isGoing = placed?.fence?.leaving === true || !this.#units.has(unit)
    const left = this.#records.held.leaving.get(machine, unit)?.value
    const needs = (isGoing ? placed?.needs : undefined) ?? left?.needs
    return needs && { unit: unitName(unit), machine: machineId(machine), needs }
  }

  #ages({ fence, moving, machine }: PlacementRecord): boolean {
    const isReady = this.#machines.get(machine)?.status === 'ready'
    return moving !== undefined || (fence !== undefined && !isReady)
  }

  /**
   * All that `decisions` touch, for the plan checker, from the records and not from what the planner makes of
   * them: their machines, and those of their units and of whoever shares a volume with them, with all that is there.
   */
  around(decisions: readonly Decision[], wallMs: number): Snapshot {
    const names = new Set<string>(decisions.map(({ unit }) => unit))
    const used = new Set([...names].flatMap((name) => this.#units.get(name)?.needs.volumes ?? []))
    for (const volume of used) for (const user of this.#users.secondsOf(volume)) names.add(user)
    const ids = new Set<string>(decisions.flatMap(placesOf).map((place) => partsOf(place)[0]))
    for (const name of names) {
      if (this.#units.get(name)?.rules.global === true) continue
      for (const id of this.#places.firstsOf(name)) ids.add(id)
    }
    const placements: SchedulerPlacement[] = []
    const leaving: SchedulerLeaving[] = []
    for (const id of ids) {
      const there = new Set([...this.#places.secondsOf(id), ...this.#leaving.secondsOf(id)])
      for (const name of there) {
        names.add(name)
        const stored = this.#records.placements.get(id, name)
        placements.push(...list(stored && this.#placementOf(stored, wallMs)))
        leaving.push(...list(this.#leavingAt(id, name)))
      }
    }
    return {
      machines: [...ids].flatMap((id) => this.#machines.get(id) ?? []),
      units: [...names].flatMap((name) => this.#units.get(name) ?? []),
      placements,
      leaving,
      volumes: [...used].flatMap((name) =>
        [...this.#volumes.secondsOf(name)].map((id) => ({ name, machine: machineId(id) })),
      ),
    }
  }
}

const namesIn = (
  view: { readonly kind: { partsOf(key: string): string[] } },
  key: string,
): [string, string] => view.kind.partsOf(key) as [string, string]

const list = <T>(item: T | undefined): readonly T[] => (item === undefined ? [] : [item])

/** They are plain data, always made in one way. */
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const isSameUnit = (a: SchedulerUnit | undefined, b: SchedulerUnit | undefined): boolean =>
  a?.rules === b?.rules &&
  a?.needs === b?.needs &&
  a?.wanted === b?.wanted &&
  isSame(a && crashesText(a), b && crashesText(b))

const crashesText = ({ crashes }: SchedulerUnit): unknown =>
  crashes && [crashes.hold, ...crashes.failedOn]
