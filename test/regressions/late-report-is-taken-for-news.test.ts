import t from 'tap'
import { machineId } from '../../src/base/ids.ts'
import { states } from '../../src/core/records/keyspace.ts'
import type { UnitStateRecord } from '../../src/core/records/schemas.ts'
import type { Pulse } from '../../src/node/member/pulse-types.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { runningState } from '../support/unit-state.ts'

/** Two voters carry pulses, and one of them may be slow: what it brought late was taken for news. */
t.test('a report that a later one has overtaken is not written', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  const { machine } = world.leader!
  const { relay } = machine.process!.core!
  const ghost = machineId('e'.repeat(32))
  const running = runningState('told.service', ghost)
  const said = (sequence: number, active: UnitStateRecord['active']): Pulse => ({
    place: { run: 'r', sequence },
    bootId: 'b',
    memberId: 0,
    silentForMs: 0,
    reports: [{ kind: 'state', state: { ...running, active } }],
  })
  await world.time.runUntilSettled(relay.hear(ghost, said(2, 'active')), soonMs)
  await world.run(200)
  await world.time.runUntilSettled(relay.hear(ghost, said(1, 'activating')), soonMs)
  await world.run(200)
  const { items } = await world.leader!.member.range(states.range, 'local')
  const stored = items.flatMap((item) => states.read(item)?.value ?? [])
  t.match(
    stored.filter(({ unit }) => unit === running.unit),
    [{ active: 'active' }],
  )
})
