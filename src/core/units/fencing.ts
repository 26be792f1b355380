/** What `[X-Fleet]` says of a unit whose machine is cut off. */
import type { Report } from './placement.ts'
import { valuesOfKey } from './service.ts'
import { parseTimeSpan } from './time-span.ts'
import type { LocatedOption, PlacementRules } from './types.ts'

export const fencingKeys: readonly string[] = ['Fencing', 'FencingGrace']

/** Nobody has the unit's work done meanwhile. */
const graceMsMax = 60_000

export function readFencing(
  options: readonly LocatedOption[],
  { global }: Pick<PlacementRules, 'global'>,
  report: Report,
): Pick<PlacementRules, 'fencing' | 'fencingGraceMs'> {
  const last = (key: string): LocatedOption | undefined =>
    valuesOfKey(options, 'X-Fleet', key).at(-1)
  const fencing = last('Fencing')
  const isStop = fencing?.value === 'stop'
  if (fencing !== undefined && !isStop && fencing.value !== 'keep') {
    report(fencing.line, `Fencing=${fencing.value}: write keep or stop`)
  }
  if (fencing !== undefined && isStop && global) {
    report(fencing.line, 'Fencing=stop cannot be used with Global: that unit runs on every machine')
  }
  const grace = last('FencingGrace')
  const graceMs = grace === undefined ? 0 : parseTimeSpan(grace.value)
  if (grace !== undefined && (graceMs === undefined || graceMs > graceMsMax)) {
    report(
      grace.line,
      `FencingGrace=${grace.value}: write a time of at most ${graceMsMax / 1000} s`,
    )
  }
  return { fencing: isStop ? 'stop' : 'keep', fencingGraceMs: graceMs ?? 0 }
}
