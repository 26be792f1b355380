/** A plan in transactions that the store takes. */
import t from 'tap'
import { machineId, unitName } from '../../../src/base/ids.ts'
import { leaving, placements } from '../../../src/core/records/keyspace.ts'
import type { Decision } from '../../../src/core/scheduler/types.ts'
import { faultOfTransaction } from '../../../src/core/store/check.ts'
import type { Operation } from '../../../src/core/store/types.ts'
import { chunksOf, partsInChunks } from '../../../src/node/controllers/plan-chunks.ts'

const [from, machine] = [machineId('1'.repeat(32)), machineId('2'.repeat(32))]
const ports = Array.from({ length: 10_240 }, (_, at) => ({
  port: `${at + 20_000}/udp`,
  ip: '192.168.100.100',
}))
const needs = { memoryBytes: 0, nanoCpus: 0, ports }
const names = [1, 2, 3, 4, 5].map((n) => unitName(`wide${n}.service`))
const placed = { v: 1, machine, desired: 'launched', hash: 'h', placedMs: 1, needs } as const

const isTaken = (then: readonly Operation[]): boolean =>
  faultOfTransaction({ compare: [], then, otherwise: [] }) === undefined

t.test('units with many ports each', (t) => {
  const moves = names.map((unit): Decision => ({ kind: 'move', unit, from, machine, stays: true }))
  const writes = ({ unit }: Decision): Operation[] => [
    placements.put({ ...placed, unit }, machine, unit),
    leaving.put({ v: 1, unit, machine: from, needs, sinceMs: 1 }, from, unit),
  ]
  t.notOk(isTaken(moves.flatMap(writes)), 'are too much for one')
  const chunks = chunksOf(moves, () => needs)
  t.same(chunks.flat(), moves)
  for (const chunk of chunks) t.ok(isTaken(chunk.flatMap(writes)))
  const parts = moves.map((move) => ({ compare: [], then: writes(move) }))
  for (const chunk of partsInChunks(parts)) t.ok(isTaken(chunk.flatMap(({ then }) => then)))
  t.end()
})
