/** What lists tell of units that are to run no more, and perhaps do. */
import t from 'tap'
import { leaving, placements, states } from '../../../src/core/records/keyspace.ts'
import type { UnitRow } from '../../../src/node/api/answers.ts'
import { ids, machine, makeNode, type Node, placement, state, unitFile } from './fixture.ts'

const needs = { memoryBytes: 1, nanoCpus: 0, ports: [] }
const left = (on: string) =>
  leaving.put({ v: 1, unit: 'a.service', machine: on, needs, sinceMs: 1 }, on, 'a.service')

const look = async (node: Node): Promise<unknown[]> =>
  (await node.ask('GET', '/v1/units')).value.units.map((row: UnitRow) => [
    row.name,
    row.machineName,
    row.active,
    row.sub,
  ])

for (const end of ['unloaded', 'destroyed'] as const) {
  t.test(`a unit that was ${end} has a row until nothing of it is left`, async (t) => {
    const node = await makeNode()
    node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2', { status: 'lost' }))
    await node.ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
    node.store.put(placement('a.service', ids.n1))
    node.store.put(state(node, 'a.service', ids.n1))
    if (end === 'destroyed') await node.ask('DELETE', '/v1/units/a.service')
    else await node.ask('POST', '/v1/units/a.service/state', { desired: 'inactive' })
    t.same(
      await look(node),
      [['a.service', 'n1', 'active', 'running']],
      'the leader has not planned',
    )

    node.store.put(
      { kind: 'delete', key: placements.key(ids.n1, 'a.service') },
      { kind: 'delete', key: states.key(ids.n1, 'a.service') },
      left(ids.n1),
    )
    t.same(await look(node), [['a.service', 'n1', 'deactivating', 'waiting']])
    const silent = { active: 'unknown', sub: 'unknown' } as const
    node.store.put(state(node, 'a.service', ids.n1, silent))
    t.same(await look(node), [['a.service', 'n1', 'unknown', 'unknown']], 'its engine is dead')
    node.store.put(state(node, 'a.service', ids.n1, { active: 'deactivating', sub: 'stop' }))
    t.same(await look(node), [['a.service', 'n1', 'deactivating', 'stop']])

    node.store.put(
      { kind: 'delete', key: leaving.key(ids.n1, 'a.service') },
      { kind: 'delete', key: states.key(ids.n1, 'a.service') },
      left(ids.n2),
      left(ids.n3),
    )
    const lost = [['a.service', 'n2', 'unknown', 'lost']]
    t.same(await look(node), lost, 'a machine that has left is nobody to wait for')
    node.store.put({ kind: 'delete', key: leaving.key(ids.n2, 'a.service') })
    const gone = end === 'destroyed' ? [] : [['a.service', null, 'inactive', 'dead']]
    t.same(await look(node), gone)
  })
}
