/**
 * Which of the machines that may run a unit gets it. In this order: where it failed least of late,
 * where fewest of its kind are (`Spread=`), where its wishes weigh most (`Prefer=`), and then the emptiest machine or, with
 * `Strategy=pack`, the fullest; among equals the one whose id sorts first.
 */
import { wishOf } from './attributes.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import type { SchedulerUnit } from './types.ts'

/** Whether fewest units, the order in which machines stand anyway, is all there is to say. */
export const takesTheFirst = ({ rules, crashes }: SchedulerUnit): boolean =>
  rules.spread.length === 0 &&
  rules.prefer.length === 0 &&
  rules.strategy === 'spread' &&
  crashes === undefined

/** Negative when `a` is the better place. */
type Comparison = (a: MachineState, b: MachineState) => number

/** Zero only for the same machine. Valid until something changes in `fleet`. */
export function choiceFor(unit: SchedulerUnit, fleet: FleetState): Comparison {
  const worth = worthFor(unit, fleet)
  return (a, b) =>
    worth(a, b) || (a.machine.id < b.machine.id ? -1 : a.machine.id > b.machine.id ? 1 : 0)
}

/** As `choiceFor`, and zero for machines that are as good as each other. */
export function worthFor(unit: SchedulerUnit, fleet: FleetState): Comparison {
  const { spread, prefer, strategy } = unit.rules
  // Of a kind there may be thousands: they are counted once, and not for each two machines.
  const kindred = spread.map((label) => ({ label, counts: fleet.kindredByValue(unit.name, label) }))
  return (a, b) => {
    const failures = failuresOn(unit, a) - failuresOn(unit, b)
    if (failures !== 0) return failures
    for (const { label, counts } of kindred) {
      const on = ({ machine }: MachineState): number => counts.get(machine.metadata[label]) ?? 0
      const difference = on(a) - on(b)
      if (difference !== 0) return difference
    }
    const wished = wishOf(prefer, b.machine) - wishOf(prefer, a.machine)
    if (wished !== 0) return wished
    if (strategy === 'pack') {
      const fuller = shareOf(b) - shareOf(a)
      if (fuller !== 0) return fuller
      return b.units.size - a.units.size
    }
    return a.units.size - b.units.size
  }
}

const failuresOn = ({ crashes }: SchedulerUnit, { machine }: MachineState): number =>
  crashes?.failedOn.get(machine.id) ?? 0

/** How full it is, by what is scarcest. */
export function shareOf({ machine: { capacity }, room }: MachineState): number {
  const share = (used: number, of: number): number => (of === 0 ? 0 : used / of)
  return Math.max(
    share(room.memoryBytes, capacity.memoryBytes),
    share(room.nanoCpus, capacity.nanoCpus),
  )
}

/** One line for people: what speaks for and against the machine. */
export function describeChoice(unit: SchedulerUnit, fleet: FleetState, at: MachineState): string {
  const spread = unit.rules.spread.map((key) => {
    const value = at.machine.metadata[key]
    const where = value === undefined ? `without ${key}` : `${key}=${value}`
    return `${fleet.kindred(unit.name, key, at)} of its kind ${where}`
  })
  const wish = wishOf(unit.rules.prefer, at.machine)
  const full = unit.rules.strategy === 'pack' ? [`${Math.round(shareOf(at) * 100)} % reserved`] : []
  const failures = failuresOn(unit, at)
  return [
    ...(failures === 0
      ? []
      : [`it failed here ${failures === 1 ? 'once' : `${failures} times`} of late`]),
    ...spread,
    ...(unit.rules.prefer.length === 0 ? [] : [`its wishes weigh ${wish}`]),
    ...full,
    `${at.units.size} units`,
  ].join(', ')
}
