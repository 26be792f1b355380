/**
 * Order and need between units of one machine. Source: `After=`, `Requires=`, `BindsTo=` in
 * systemd.unit(5); here need implies order, and waits instead of failing.
 */
import type { UnitName } from '../../base/ids.ts'
import type { UnitRules } from './types.ts'

/** How a unit stands on this machine, before this look's decisions. */
export type Standing =
  /** Not placed here, or not to run. */
  | 'absent'
  /** To run, and not yet, or not yet again. */
  | 'starting'
  | 'active'
  /** It has run, or failed to, and is not to start now. */
  | 'ended'

export interface Neighbours {
  readonly standing: ReadonlyMap<string, Standing>
  /** Of the units that are to run here. */
  readonly rules: ReadonlyMap<string, UnitRules>
}

/** Why `unit` may not start yet, for people; undefined when it may. */
export function reasonToWait(
  unit: UnitName,
  rules: UnitRules,
  neighbours: Neighbours,
): string | undefined {
  const standingOf = (other: string): Standing => neighbours.standing.get(other) ?? 'absent'
  for (const other of [...rules.requires, ...rules.bindsTo]) {
    const standing = standingOf(other)
    if (standing === 'absent') return `needs ${other}, which is not to run on this machine`
    const together = standing === 'starting' && dependsOn(other, unit, neighbours)
    if (standing !== 'active' && !together) return `waits for ${other}`
  }
  for (const other of rules.after) {
    if (standingOf(other) === 'starting' && !dependsOn(other, unit, neighbours)) {
      return `starts after ${other}`
    }
  }
  return undefined
}

/** The unit that `unit` is bound to and that no longer runs; undefined when all do. */
export function brokenBond(
  unit: UnitName,
  rules: UnitRules,
  neighbours: Neighbours,
): string | undefined {
  return rules.bindsTo.find((other) => {
    const standing = neighbours.standing.get(other) ?? 'absent'
    if (standing === 'starting') return !dependsOn(other, unit, neighbours)
    return standing !== 'active'
  })
}

/** Whether `from` waits for `to`, itself or through others: units in a ring start together. */
function dependsOn(from: string, to: string, neighbours: Neighbours): boolean {
  const seen = new Set<string>()
  const open = [from]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    const rules = neighbours.rules.get(next)
    if (rules === undefined) continue
    const edges = [...rules.after, ...rules.requires, ...rules.bindsTo]
    if (edges.includes(to)) return true
    open.push(...edges)
  }
  return false
}
