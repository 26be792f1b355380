/** Where units that are to run no more stand, for someone who waits for that. */
import type { UnitAnswer, UnitRow, UnitsAnswer } from '../../node/api/answers.ts'
import { type NodeClient, segment } from './node-client.ts'
import type { Outcome, Waiting } from './unit-changes.ts'
import { placeText } from './unit-row.ts'

const stillRuns: ReadonlySet<string> = new Set(['active', 'activating', 'deactivating'])
/** A machine that was away for a moment has been heard again by then. */
const lostForMs = 10_000

export function stopped(rows: readonly UnitRow[], sinceMs: number): Outcome {
  const [row] = rows
  if (row === undefined) return { ok: true, text: 'the unit is gone' }
  if (rows.some(({ active }) => stillRuns.has(active))) return undefined
  const unknown = rows.filter(({ active }) => active === 'unknown')
  return unknown.length > 0
    ? lost(unknown, sinceMs)
    : { ok: true, text: `Unit ${row.name} stopped on ${placeText(row)}` }
}

export function unloaded(rows: readonly UnitRow[], sinceMs: number): Outcome {
  const [row] = rows
  if (row === undefined) return { ok: true, text: 'the unit is gone' }
  const there = rows.filter(({ machine }) => machine !== null)
  return there.length > 0 ? lost(there, sinceMs) : { ok: true, text: `Unit ${row.name} unloaded` }
}

export function destroyed(rows: readonly UnitRow[], sinceMs: number, name: string): Outcome {
  return rows.length > 0 ? lost(rows, sinceMs) : { ok: true, text: `Destroyed ${name}` }
}

/** An engine that does not answer is started again, and then all is known; a lost machine may be lost for good. */
function lost(rows: readonly UnitRow[], sinceMs: number): Outcome {
  const isLost = rows.every(({ sub, active }) => active === 'unknown' && sub === 'lost')
  if (!isLost || sinceMs < lostForMs) return undefined
  return { ok: false, text: lostText(rows) }
}

function lostText(rows: readonly UnitRow[]): string {
  const machines = rows.map(({ machine, machineName }) => machineName ?? machine?.slice(0, 8) ?? '')
  const are = machines.length === 1 ? 'is' : 'are'
  return `Unit ${rows[0]?.name}: ${machines.join(', ')} ${are} lost; what runs there may run on`
}

/** The rows of units on lost machines, which leave the lists with their placements. */
export async function lostRows(
  node: NodeClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly UnitRow[]>> {
  const asked = new Set(names)
  const { units } = await node.get<UnitsAnswer>('/v1/units')
  const rows = units.filter(({ name, sub, active }) => {
    return asked.has(name) && active === 'unknown' && sub === 'lost'
  })
  const byName = new Map<string, readonly UnitRow[]>()
  for (const [name, its] of Map.groupBy(rows, (row) => row.name)) {
    const isFenced = await isStoppedByItself(node, name)
    if (!isFenced) byName.set(name, its)
  }
  return byName
}

/** Its row stays until it is surely dead. */
async function isStoppedByItself(node: NodeClient, name: string): Promise<boolean> {
  const { summary } = await node.get<UnitAnswer>(`/v1/units/${segment(name)}`)
  return summary?.rules.fencing === 'stop'
}

/** As `outcome`, but of units that were on lost machines nobody can say that they are gone. */
export const unlessLost =
  (
    rowsBefore: ReadonlyMap<string, readonly UnitRow[]>,
    outcome: Waiting['outcome'],
  ): Waiting['outcome'] =>
  (rows, sinceMs, name) => {
    const before = rowsBefore.get(name)
    const found = outcome(rows, sinceMs, name)
    return found?.ok === true && before !== undefined
      ? { ok: false, text: lostText(before) }
      : found
  }
