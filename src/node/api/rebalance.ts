/** What would be placed better elsewhere, and moving it there: see `core/scheduler/rebalance.ts`. */
import { JangadaError } from '../../base/errors.ts'
import { placements } from '../../core/records/keyspace.ts'
import { rebalanceInParts } from '../../core/scheduler/rebalance.ts'
import { Stretches } from '../../ports/stretches.ts'
import { decideAndSee, type Decision, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { MoveAnswer, RebalanceAnswer } from './operation-answers.ts'
import { numberOf } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeatureOf } from './feature-level.ts'
import { json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route } from './router.ts'
import { stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'
import { factsOf, readWithFacts } from './unit-facts.ts'
import { requireUnit, snapshotOf } from './units.ts'

const movesDefault = 100
const movesMax = 1000
/** Where no other place is found in this time, the unit stays. */
const movingMs = 300_000

export function rebalanceRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/rebalance',
      access: 'read',
      handle: async (request) => {
        const max = numberOf(request, 'max', { fallback: movesDefault, min: 1, max: movesMax })
        return json(await tell(context, max))
      },
    },
    {
      method: 'POST',
      path: '/v1/units/:name/move',
      access: 'deploy',
      handle: async (request) => {
        const name = request.parameters['name'] ?? ''
        return json(await decideAndSee(context.store, () => decideMove(context, name)))
      },
    },
  ]
}

async function tell(context: ApiContext, max: number): Promise<RebalanceAnswer> {
  const view = await viewOrCutOff(context)
  const records = await readWithFacts(context)
  const nameOf = (id: string): string => records.machines.get(id)?.name ?? id.slice(0, 8)
  const looks = rebalanceInParts(snapshotOf(records, context.clock.wallMs()), max)
  const moves = await new Stretches(context.clock).through(looks)
  return {
    revision: records.revision,
    stale: stalenessOf(view),
    moves: moves.map(({ unit, from, to, why }) => ({
      unit,
      from: { id: from, name: nameOf(from) },
      to: { id: to, name: nameOf(to) },
      why,
    })),
  }
}

/** The leader finds it another place, and takes it from this one once it runs there. */
async function decideMove(context: ApiContext, name: string): Promise<Decision<MoveAnswer>> {
  const records = await readCluster(context.store, 'linearizable')
  const unit = requireUnit(records, name)
  const places = records.placements.filter(({ value }) => value.unit === name)
  const [placed] = places
  if (factsOf(unit).isGlobal) {
    throw new JangadaError('JGD_CONFLICT', `${name} runs on every machine, and moves nowhere`, {
      hint: `for other machines change its MachineMetadata=: jangada start --replace ${name}`,
    })
  }
  if (placed === undefined) {
    throw new JangadaError('JGD_CONFLICT', `${name} is on no machine that it could move from`, {
      hint: `jangada why ${name}`,
    })
  }
  const nowMs = context.clock.wallMs()
  if (places.length > 1 || (placed.value.moving?.untilMs ?? 0) > nowMs) {
    throw new JangadaError('JGD_CONFLICT', `${name} moves already`, { hint: 'wait for its end' })
  }
  await requireFeatureOf(context.store, 'moving')
  const { machine } = placed.value
  const stored = await readRecord(context.store, placements, machine, name)
  const moving = { untilMs: nowMs + movingMs }
  const from = records.machines.get(machine)?.name ?? machine.slice(0, 8)
  const message = `${name} moves from ${from}, its replacement first`
  const event = { kind: 'unit.moves', severity: 'info', message, unit: name, machine } as const
  return {
    value: {
      unit: name,
      from: { id: machine, name: from },
      untilMs: moving.untilMs,
      forMs: movingMs,
    },
    compare: [
      { target: 'modRevision', key: placed.key, is: '=', to: placed.modRevision },
      unchanged(placed.key, stored),
    ],
    then: [placements.put({ ...placed.value, moving }, machine, name), putEvent(context, event)],
  }
}
