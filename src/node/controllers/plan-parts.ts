/** What a plan writes, and under which conditions. */
import { assert, assertNever, present } from '../../base/assert.ts'
import { type MachineId, machineId, type UnitName, unitName } from '../../base/ids.ts'
import type { Needs } from '../../base/room.ts'
import { machines, placements, units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { PlacementRecord } from '../../core/records/schemas.ts'
import { isFree, noNeeds } from '../../core/scheduler/room.ts'
import type { Decision, UnplaceReason } from '../../core/scheduler/types.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import { type ControllerContext, putEvent } from './context.ts'
import { fenceOf, type Fences, taken, toLeave } from './fence.ts'
import type { Part } from './held.ts'
import { placeOf } from './places.ts'
import { type FedRecords, type SchedulerFeed } from './scheduler-feed.ts'
import type { UnitRules } from './unit-rules.ts'

export class PlanParts {
  readonly #context: ControllerContext
  readonly #records: FedRecords
  readonly #rules: UnitRules
  readonly #fences: Fences
  readonly #others: SchedulerFeed['others']

  constructor(
    context: ControllerContext,
    records: FedRecords,
    rules: UnitRules,
    fences: Fences,
    others: SchedulerFeed['others'],
  ) {
    this.#others = others
    this.#context = context
    this.#records = records
    this.#rules = rules
    this.#fences = fences
  }

  /** That unit and machine of what comes are as they were seen. */
  guardsOf(decision: Decision): readonly Compare[] {
    const { unit, machine } = decision
    if (decision.kind === 'release') return []
    if (decision.kind === 'unplace') {
      return [...this.#fences.returnGuards(machine, unit), ...this.#survivors(decision)]
    }
    return [
      ...(decision.kind === 'move' ? this.#fences.returnGuards(decision.from, unit) : []),
      guard(units.key(unit), this.#records.units.get(unit)),
      guard(machines.key(machine), this.#records.machines.get(machine)),
    ]
  }

  /** Who leaves because of another placement does so only while that one is there, and its machine as it was. */
  #survivors({
    unit,
    machine,
    reason,
  }: Extract<Decision, { kind: 'unplace' }>): readonly Compare[] {
    if (!['drained', 'moved', 'duplicate'].includes(reason.kind)) return []
    const others = this.#others(unit, machine).filter(({ value }) => {
      return this.#records.machines.get(value.machine)?.value.status === 'ready'
    })
    return others.flatMap((other) => [
      guard(other.key, other),
      guard(machines.key(other.value.machine), this.#records.machines.get(other.value.machine)),
    ])
  }

  partOf(decision: Decision, guards: readonly Compare[]): Part {
    const { unit, machine } = decision
    switch (decision.kind) {
      case 'release':
      case 'unplace': {
        const placed = this.#records.placements.get(machine, unit)
        const { reason } = decision
        const isReleased = decision.kind === 'release' && placed !== undefined
        const told = this.#toldOf(unit, machine, reason)
        return {
          compare: [guard(placements.key(machine, unit), placed), ...guards],
          then: isReleased
            ? [toLeave(placed), ...told]
            : [
                ...taken(machine, unit),
                ...(placed ? this.#records.held.left(placed.value) : []),
                ...told,
              ],
        }
      }
      case 'place':
      case 'move': {
        const held = this.#records.held.placed(unit, machine, this.needsOf(unit))
        const compare = [
          ...guards,
          guard(placements.key(machine, unit), undefined),
          ...held.compare,
        ]
        const then = [placements.put(this.#record(unit, machine), machine, unit), ...held.then]
        if (decision.kind === 'move') {
          const before = this.#records.placements.get(decision.from, unit)
          compare.push(guard(placements.key(decision.from, unit), before))
          then.push(...this.#movedAway(decision, before))
          const [from, to] = [decision.from, machine].map((id) => this.#nameOf(id))
          const message = `${unit} moves from ${from}, which is lost, to ${to}`
          then.push(
            putEvent(this.#context, {
              kind: 'unit.moved',
              severity: 'warning',
              message,
              unit,
              machine,
            }),
          )
        }
        return { compare, then }
      }
      default:
        return assertNever(decision)
    }
  }

  /** See `Decision`. */
  #movedAway(
    { unit, from, stays }: Extract<Decision, { kind: 'move' }>,
    before: Stored<PlacementRecord> | undefined,
  ): Operation[] {
    if (before === undefined) return []
    if (!stays) return [...taken(from, unit), ...this.#records.held.left(before.value)]
    // Until it runs elsewhere, however long that takes.
    const moving = { untilMs: Number.MAX_SAFE_INTEGER }
    return [placements.put({ ...before.value, moving }, from, unit)]
  }

  /** Who has to go because of another unit's coming is told of. */
  #toldOf(unit: UnitName, machine: MachineId, reason: UnplaceReason): Operation[] {
    if (reason.kind === 'preempted') return [this.#preempted(unit, machine, reason.by)]
    if (reason.kind !== 'obstacle' || reason.obstacle.kind !== 'replaced') return []
    const message = `${unit} leaves ${this.#nameOf(machine)}: ${reason.obstacle.by} replaces it`
    const event = { kind: 'unit.displaced', severity: 'info', message, unit, machine } as const
    return [putEvent(this.#context, event)]
  }

  #nameOf(machine: MachineId): string {
    return this.#records.machines.get(machine)?.value.name ?? machine.slice(0, 8)
  }

  #preempted(unit: UnitName, machine: MachineId, by: UnitName): Operation {
    const message = `${unit} leaves ${this.#nameOf(machine)}: ${by} has a higher priority and needs its room`
    const event = { kind: 'unit.preempted', severity: 'warning', message, unit, machine } as const
    return putEvent(this.#context, event)
  }

  /** What to write for a placement that stays where it is, and whose unit is wanted in another way than before. */
  updateOf(placed: Stored<PlacementRecord>, decided: ReadonlySet<string>): Part | undefined {
    const { machine, unit, desired, hash, fence } = placed.value
    const item = this.#records.units.get(unit)
    if (item === undefined || item.value.desired === 'inactive') return undefined
    if (fence?.leaving === true || decided.has(placeOf(placed.value))) return undefined
    const [name, at] = [unitName(unit), machineId(machine)]
    // Who is not there has not heard it: what the placement says is what its fencer goes by.
    if (this.#records.machines.get(machine)?.value.status !== 'ready') return undefined
    const held = this.#records.held.missing(name, at, this.needsOf(name))
    const isSame = item.value.desired === desired && item.value.hash === hash
    if (isSame && held === undefined) return undefined
    const guards = [guard(placed.key, placed), guard(units.key(unit), item)]
    return {
      compare: [...guards, ...(held?.compare ?? [])],
      then: [
        placements.put(this.#record(name, at, placed.value), machine, unit),
        ...(held?.then ?? []),
      ],
    }
  }

  #record(unit: UnitName, machine: MachineId, before?: PlacementRecord): PlacementRecord {
    const item = present(this.#records.units.get(unit), 'the record of a unit')
    const { desired, hash } = item.value
    assert(desired !== 'inactive', 'what is placed is wanted')
    const placedMs = this.#context.clock.wallMs()
    const unitRules = this.#rules.of(item)
    const needs = unitRules?.needs ?? noNeeds
    const { memoryBytes, nanoCpus } = needs
    return {
      v: 1,
      unit,
      machine,
      desired,
      hash,
      placedMs,
      ...fenceOf(unitRules?.rules, before),
      ...(before?.moving && { moving: before.moving }),
      ...(!isFree(needs) && { needs: { memoryBytes, nanoCpus, ports: [...needs.ports] } }),
    }
  }

  needsOf(unit: UnitName): Needs | undefined {
    const item = this.#records.units.get(unit)
    return item === undefined ? undefined : this.#rules.of(item)?.needs
  }
}

const guard = (key: string, seen: Stored<unknown> | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: seen?.modRevision ?? 0,
})
