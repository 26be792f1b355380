/** What would come of unit files, without writing them: the scheduler asked with them in its snapshot. */
import * as Type from 'typebox'
import { isJangadaError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { reasonsByMachine } from '../../base/reasons-text.ts'
import type { UnitRecord } from '../../core/records/schemas.ts'
import { afterPlan } from '../../core/scheduler/check.ts'
import { describeCounts, describeUnplace } from '../../core/scheduler/describe.ts'
import { planInParts } from '../../core/scheduler/plan.ts'
import type { Decision, Plan, Snapshot } from '../../core/scheduler/types.ts'
import { Explainer } from '../../core/scheduler/why.ts'
import { unitTextBytesMax } from '../../core/units/options.ts'
import { Stretches } from '../../ports/stretches.ts'
import type { PlanAnswer, PlanRow } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import type { ClusterRecords } from './records.ts'
import type { Route } from './router.ts'
import { isTemplate, stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'
import {
  existsOtherwise,
  hasContent,
  hashOf,
  nothingToReplaceWith,
  requireName,
  templateMissing,
} from './unit-decisions.ts'
import { snapshotOf } from './units.ts'
import { factsOf, isGlobal, readWithFacts } from './unit-facts.ts'

const unitsMax = 1000
/** Of those that find no place: each reason is a look at all machines. The others' are counted. */
const reasonsMax = 10

const readPlan = bodyReader(
  Type.Object({
    units: Type.Array(
      Type.Object({
        name: Type.String({ maxLength: 256 }),
        /** Absent: the unit is there already, or it is an instance and its template is. */
        file: Type.Optional(Type.String({ maxLength: unitTextBytesMax })),
      }),
      { maxItems: unitsMax },
    ),
    replace: Type.Optional(Type.Boolean()),
  }),
)
type Asked = ReturnType<typeof readPlan>

export function planRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/plan',
      access: 'read',
      handle: async (request) => {
        const asked = readPlan(request)
        const view = await viewOrCutOff(context)
        const records = await readWithFacts(context)
        const answer: PlanAnswer = {
          revision: records.revision,
          stale: stalenessOf(view),
          rows: await rowsOf(context, records, asked),
        }
        return json(answer)
      },
    },
  ]
}

async function rowsOf(
  { clock }: ApiContext,
  records: ClusterRecords,
  asked: Asked,
): Promise<PlanRow[]> {
  const stretches = new Stretches(clock)
  const { units, names, refused } = await withUnits(records, asked, stretches)
  const before = snapshotOf({ ...records, units }, clock.wallMs())
  const planned = await stretches.through(planInParts(before))
  const placed = new Set(records.placements.map(({ value }) => value.unit))
  // Who waits already, and is not asked about, does not wait for what these files say.
  const told = changesOf(records, units, planned).filter(
    ({ unit, change }) => change !== 'wait' || names.has(unit) || placed.has(unit),
  )
  const changed = new Set(told.map(({ unit }) => unit))
  const stays = [...names]
    .filter((name) => !changed.has(name) && !isTemplate(name))
    .flatMap((name) => stayingRows(records, units, name))
  const rows = [...refused, ...told, ...stays].toSorted((a, b) => compare(a.unit, b.unit))
  return withReasons(records, rows, afterPlan(before, planned.decisions), stretches)
}

/** What stands against the first that wait, with names and numbers; `after` is what the plan comes to. */
async function withReasons(
  records: ClusterRecords,
  rows: readonly PlanRow[],
  after: Snapshot,
  stretches: Stretches,
): Promise<PlanRow[]> {
  const nameOf = namesOf(records)
  const told: PlanRow[] = []
  let explainer: Explainer | undefined
  let left = reasonsMax
  for (const each of rows) {
    told.push(each)
    if (each.change !== 'wait' || left === 0 || records.machines.size === 0) continue
    left -= 1
    const unit = after.units.find(({ name }) => name === each.unit)
    if (unit === undefined) continue
    explainer ??= await stretches.through(Explainer.inParts(after))
    const reasons = explainer.why(unit, nameOf)
    if (stretches.isOver) await stretches.rest()
    // One that may run it is held by something else, of which the plan's own word tells.
    if (reasons.some(({ verdict }) => verdict !== 'refused')) continue
    const byMachine = reasons.map(({ machine, text }) => ({ name: nameOf(machine), reason: text }))
    told[told.length - 1] = { ...each, reason: reasonsByMachine(byMachine) }
  }
  return told
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The units as they would be, each of those asked for to be launched. */
async function withUnits(
  records: ClusterRecords,
  asked: Asked,
  stretches: Stretches,
): Promise<{
  readonly units: ReadonlyMap<string, UnitRecord>
  readonly names: ReadonlySet<string>
  readonly refused: readonly PlanRow[]
}> {
  const units = new Map(records.units)
  const names = new Set<string>()
  const refused: PlanRow[] = []
  // Templates first, for the instances that come along.
  const ordered = asked.units.toSorted(
    (a, b) => Number(isTemplate(b.name)) - Number(isTemplate(a.name)),
  )
  for (const { name, file } of ordered) {
    try {
      const record = recordOf(units, name, file, asked.replace === true)
      units.set(name, record)
      names.add(name)
      // Read here, in stretches, it is known to whoever needs it next.
      factsOf(record)
    } catch (error) {
      if (!isJangadaError(error)) throw error
      refused.push(row(records, name, 'refused', null, error.message))
    }
    if (stretches.isOver) await stretches.rest()
  }
  return { units, names, refused }
}

/** Throws what a submit would. */
function recordOf(
  units: ReadonlyMap<string, UnitRecord>,
  text: string,
  file: string | undefined,
  replace: boolean,
): UnitRecord {
  const name = requireName(text)
  const desired = name.kind === 'template' ? 'inactive' : 'launched'
  const found = units.get(name.name)
  if (file === undefined && found !== undefined && !replace) return { ...found, desired }
  const template = name.templateName === undefined ? undefined : units.get(name.templateName)
  const source = file ?? template?.file
  if (source === undefined) {
    throw found === undefined ? templateMissing(name) : nothingToReplaceWith(name)
  }
  const hash = hashOf(name.name, {
    file: source,
    from: file === undefined ? (name.templateName ?? text) : text,
  })
  const isSame = found !== undefined && hasContent(found, hash)
  if (isSame) return { ...found, desired }
  if (found !== undefined && !replace) {
    throw existsOtherwise(name.name, found.hash, hash)
  }
  return {
    v: 1,
    name: name.name,
    file: source,
    hash,
    desired,
    submittedMs: found?.submittedMs ?? 0,
  }
}

/** A unit that is taken away and placed by one plan has moved, or stays after all. */
function changesOf(
  records: ClusterRecords,
  units: ReadonlyMap<string, UnitRecord>,
  { decisions, unplaced }: Plan,
): PlanRow[] {
  const rows: PlanRow[] = []
  const nameOf = namesOf(records)
  const left = new Map<string, Extract<Decision, { kind: 'unplace' | 'release' }>>()
  for (const decision of decisions) {
    const { unit, machine } = decision
    const key = keyOf(units, decision)
    if (decision.kind === 'unplace' || decision.kind === 'release') {
      left.set(key, decision)
      continue
    }
    const before = left.get(key)
    left.delete(key)
    if (decision.kind === 'move') {
      rows.push(row(records, unit, 'move', machine, 'its machine is lost', decision.from))
    } else if (before === undefined) rows.push(row(records, unit, 'start', machine, ''))
    else if (before.machine !== machine) {
      const why = describeUnplace(before.reason, nameOf)
      rows.push(row(records, unit, 'move', machine, why, before.machine))
    }
  }
  for (const { unit, machine, reason } of left.values()) {
    rows.push(row(records, unit, 'stop', machine, describeUnplace(reason, nameOf)))
  }
  for (const [unit, counts] of unplaced) {
    rows.push(row(records, unit, 'wait', null, describeCounts(counts)))
  }
  return rows
}

/** A global unit is on many machines, and moves to none. */
function keyOf(units: ReadonlyMap<string, UnitRecord>, { unit, machine }: Decision): string {
  const record = units.get(unit)
  return record !== undefined && isGlobal(record) ? `${unit}/${machine}` : unit
}

const namesOf =
  ({ machines }: ClusterRecords) =>
  (id: string): string =>
    machines.get(id)?.name ?? id.slice(0, 8)

function stayingRows(
  records: ClusterRecords,
  units: ReadonlyMap<string, UnitRecord>,
  name: string,
): PlanRow[] {
  const isOther = records.units.get(name)?.hash !== units.get(name)?.hash
  return records.placements
    .filter(({ value }) => value.unit === name)
    .map(({ value }) =>
      isOther
        ? row(records, name, 'replace', value.machine, 'its file is another one')
        : row(records, name, 'stay', value.machine, ''),
    )
}

function row(
  { machines }: ClusterRecords,
  unit: string,
  change: PlanRow['change'],
  machine: string | null,
  reason: string,
  from?: MachineId,
): PlanRow {
  const at = machine === null ? undefined : machines.get(machine)
  return {
    unit,
    change,
    machine,
    machineName: at?.name ?? null,
    machineAddress: at?.address ?? null,
    from: from === undefined ? null : (machines.get(from)?.name ?? from.slice(0, 8)),
    reason,
  }
}
