import t from 'tap'
import { machineId, unitName } from '../../src/base/ids.ts'
import { plan } from '../../src/core/scheduler/plan.ts'
import { noNeeds } from '../../src/core/scheduler/room.ts'
import type { SchedulerUnit } from '../../src/core/scheduler/types.ts'
import { faultOfTransaction } from '../../src/core/store/check.ts'
import { chunksOf } from '../../src/node/controllers/plan-chunks.ts'

const unit = (name: string, machineOf: readonly string[]): SchedulerUnit => ({
  name: unitName(name),
  wanted: true,
  rules: {
    machineId: undefined,
    global: false,
    machineOf,
    conflicts: [],
    replaces: [],
    metadata: {},
    spread: [],
    prefer: [],
    strategy: 'spread',
    priority: 50,
    fencing: 'keep',
    fencingGraceMs: 0,
    minAvailable: 0,
  },
  needs: noNeeds,
})

/**
 * A running unit is changed so that it follows a peer that is started at the same time, on the
 * only machine. The plan takes it away and puts it back; as one transaction that was refused,
 * ten times a second, and nothing in the cluster was placed any more.
 */
t.test('a plan that takes a unit away and puts it back can be committed', (t) => {
  const machine = machineId('a'.repeat(32))
  const follower = unit('a.service', ['b.service'])
  const { decisions } = plan({
    machines: [
      {
        id: machine,
        metadata: {},
        status: 'ready',
        drain: 'none',
        capacity: { memoryBytes: 0, nanoCpus: 0 },
      },
    ],
    units: [follower, unit('b.service', [])],
    placements: [{ unit: follower.name, machine }],
  })
  t.same(
    decisions.map(({ kind, unit: name }) => `${kind} ${name}`),
    ['unplace a.service', 'place b.service', 'place a.service'],
  )
  const chunks = chunksOf(decisions)
  t.same(chunks.flat(), decisions, 'in order, and nothing is left out')
  for (const chunk of chunks) {
    const then = chunk.map(({ kind, unit: name }) =>
      kind === 'unplace'
        ? ({ kind: 'delete', key: name } as const)
        : ({ kind: 'put', key: name, value: new Uint8Array(0) } as const),
    )
    t.equal(faultOfTransaction({ compare: [], then, otherwise: [] }), undefined)
  }
  t.end()
})
