/**
 * Who takes whose place. fleet ignores two units that replace each other, because they would
 * chase each other for ever; so would any longer circle, and a unit that takes away what it
 * follows. All such patterns are ignored here.
 */
import type { UnitName } from '../../base/ids.ts'
import { matchesGlob } from './matchers.ts'
import type { SchedulerUnit } from './types.ts'

export class Replacements {
  /** By replacer, then victim: the pattern. Only pairs that are in no circle. */
  readonly #pairs = new Map<UnitName, ReadonlyMap<UnitName, string>>()

  constructor(units: readonly SchedulerUnit[]) {
    const replacers = units.filter((unit) => unit.rules.replaces.length > 0)
    if (replacers.length === 0) return
    const victims = new Map<UnitName, Map<UnitName, string>>()
    for (const unit of replacers) victims.set(unit.name, victimsByPattern(unit, units))
    const followers = new Map<string, UnitName[]>()
    for (const unit of units) {
      for (const peer of unit.rules.machineOf) {
        const list = followers.get(peer)
        if (list === undefined) followers.set(peer, [unit.name])
        else list.push(unit.name)
      }
    }
    /** Who leaves when `name` comes, and who leaves when it leaves. */
    const next = (name: UnitName): UnitName[] => [
      ...(victims.get(name)?.keys() ?? []),
      ...(followers.get(name) ?? []),
    ]
    for (const [name, of] of victims) {
      const kept = [...of].filter(([victim]) => !reaches(victim, name, next))
      this.#pairs.set(name, new Map(kept))
    }
  }

  /** The pattern by which `unit` takes the place of `other`, or undefined. */
  pattern(unit: UnitName, other: UnitName): string | undefined {
    return this.#pairs.get(unit)?.get(other)
  }
}

function victimsByPattern(
  unit: SchedulerUnit,
  units: readonly SchedulerUnit[],
): Map<UnitName, string> {
  const victims = new Map<UnitName, string>()
  for (const other of units) {
    if (other.name === unit.name) continue
    const pattern = unit.rules.replaces.find((glob) => matchesGlob(glob, other.name))
    if (pattern !== undefined) victims.set(other.name, pattern)
  }
  return victims
}

function reaches(
  start: UnitName,
  goal: UnitName,
  next: (name: UnitName) => readonly UnitName[],
): boolean {
  const seen = new Set<UnitName>([start])
  const open = [start]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === goal) return true
    for (const other of next(name)) {
      if (seen.has(other)) continue
      seen.add(other)
      open.push(other)
    }
  }
  return false
}
