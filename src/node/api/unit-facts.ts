/** What lists need to know of every unit's file, read once. */
import type { Needs } from '../../base/room.ts'
import type { UnitRecord } from '../../core/records/schemas.ts'
import { noNeeds } from '../../core/scheduler/room.ts'
import { parseUnit } from '../../core/units/unit.ts'

export interface UnitFacts {
  readonly description: string
  readonly isGlobal: boolean
  readonly needs: Needs
}

const unknown: UnitFacts = { description: '', isGlobal: false, needs: noNeeds }

/**
 * By name and hash, which together say what a unit is: lists are asked for often, and a unit
 * never changes. Invariant: at most `knownMax` entries.
 */
const known = new Map<string, UnitFacts>()
const knownMax = 10_000

export function factsOf({ name, hash, file }: UnitRecord): UnitFacts {
  const key = `${name} ${hash}`
  const found = known.get(key)
  if (found !== undefined) return found
  const parsed = parseUnit(name, file)
  const facts = parsed.ok
    ? {
        description: parsed.spec.description,
        isGlobal: parsed.spec.placement.global,
        needs: parsed.spec.needs,
      }
    : unknown
  if (known.size >= knownMax) known.clear()
  known.set(key, facts)
  return facts
}

export const isGlobal = (unit: UnitRecord): boolean => factsOf(unit).isGlobal
