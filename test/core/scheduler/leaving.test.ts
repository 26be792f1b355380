/** What was taken off a machine holds what it has there until its container is gone. */
import t from 'tap'
import type { Needs } from '../../../src/base/room.ts'
import { unitName } from '../../../src/base/ids.ts'
import { checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { noNeeds } from '../../../src/core/scheduler/room.ts'
import { gib, id, machine, settle, unit, whyUnit } from './fixture.ts'

const leaves = (name: string, n: number, needs: Partial<Needs>) => ({
  unit: unitName(name),
  machine: id(n),
  needs: { ...noNeeds, ...needs },
})
const on = (name: string, n: number) => ({ unit: unitName(name), machine: id(n) })
const web = { ports: [{ port: '80/tcp', ip: '' }] }

t.test('port, memory and processors of a unit that is being stopped are not given away', (t) => {
  const needs = { ...web, memoryBytes: 3 * gib, nanoCpus: 1.5e9 }
  const leaving = [leaves('old.service', 1, needs)]
  const machines = [machine(1)]
  const told = (next: ReturnType<typeof unit>): string => {
    const snapshot = { machines, units: [next], placements: [], leaving }
    t.same(plan(snapshot).decisions, [], 'it waits')
    return whyUnit(snapshot, next)[0]?.text ?? ''
  }
  t.match(
    told(unit('port.service', {}, true, web)),
    "port 80/tcp of the host is old.service's there, which is being stopped",
  )
  t.match(
    told(unit('big.service', {}, true, { memoryBytes: 2 * gib })),
    'it asks for 2048 MiB of memory; 1024 MiB are free, and 3072 MiB more once what is being stopped is gone',
  )
  t.match(told(unit('busy.service', {}, true, { nanoCpus: 1e9 })), '0.5 are free, and 1.5 more')
  const units = [unit('port.service', {}, true, web)]
  const elsewhere = settle({ machines: [machine(1), machine(2)], units, placements: [], leaving })
  t.same(elsewhere.where, { 'port.service': [2] }, 'another machine does not wait')
  const back = [unit('old.service', {}, true, needs)]
  t.same(
    settle({ machines, units: back, placements: [], leaving }).where,
    { 'old.service': [1] },
    'it does not stand in its own way',
  )
  t.end()
})

t.test('a plan that takes a unit away does not give its room to another', (t) => {
  const machines = [machine(1)]
  const stopped = unit('stopped.service', {}, false, web)
  const next = unit('next.service', {}, true, web)
  const snapshot = { machines, units: [stopped, next], placements: [on('stopped.service', 1)] }
  const { decisions } = plan(snapshot)
  t.same(
    decisions.map(({ kind, unit: name }) => `${kind} ${name}`),
    ['unplace stopped.service'],
  )
  const hasty = { kind: 'place', unit: next.name, machine: id(1) } as const
  t.same(
    checkPlan(snapshot, [...decisions, hasty]).map(({ rule }) => rule),
    ['room'],
    'the checker sees it by itself',
  )
  t.same(
    checkPlan({ ...snapshot, placements: [], leaving: [leaves('x.service', 1, web)] }, [hasty])
      .length,
    1,
  )
  t.end()
})

t.test('who is driven away makes way at once, and nobody else is driven away meanwhile', (t) => {
  const memoryBytes = 3 * gib
  const low = unit('low.service', { priority: 10 }, true, { memoryBytes })
  const other = unit('other.service', { priority: 20 }, true, { memoryBytes })
  const high = unit('high.service', { priority: 90 }, true, { memoryBytes })
  const machines = [machine(1), machine(2)]
  const placements = [on('low.service', 1), on('other.service', 2)]
  const first = settle({ machines, units: [low, other, high], placements })
  t.same(first.where, { 'other.service': [2], 'high.service': [1] })
  const stopping = [leaves('gone.service', 1, { memoryBytes })]
  const waits = plan({
    machines,
    units: [other, high],
    placements: [on('other.service', 2)],
    leaving: stopping,
  })
  t.same(waits.decisions, [], 'room comes by itself')
  t.end()
})
