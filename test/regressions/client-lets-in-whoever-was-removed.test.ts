import t from 'tap'
import { noMember } from '../../src/base/ids.ts'
import { admissions } from '../../src/core/records/keyspace.ts'
import { clusterOf, soonMs, write } from '../sim/membership.ts'

/**
 * Who has no copy of the records of its own never took what it knew of them for new, and let in
 * every key that the CA had once signed.
 */
t.test('a machine that is no member turns a removed machine away, as members do', async (t) => {
  const world = await clusterOf(7)
  await world.run(10_000)
  const [client, other] = world.machines.filter(
    ({ process }) => process?.core?.memberId === noMember,
  )
  const removed = world.committed.machines.values.find(({ id }) => id === other!.id)!
  other!.losePower()
  await write(world, { kind: 'delete', key: admissions.key(removed.id) })
  // What it was told before would be enough; a process that begins now was told nothing.
  await world.time.runUntilSettled(client!.stop(), soonMs)
  client!.start()
  const isAllowed = (keyHash: string): boolean | undefined =>
    client!.process?.core?.isAllowed({ machineId: removed.id, keyHash })
  t.ok(await world.runUntil(() => client!.process?.core !== undefined, soonMs))
  t.ok(await world.runUntil(() => isAllowed(removed.keyHash) === false, soonMs), 'the removed one')
  const listed = world.committed.machines.values.find(({ id }) => id === world.leader?.machine.id)!
  const core = client!.process!.core!
  t.ok(
    core.isAllowed({ machineId: listed.id, keyHash: listed.keyHash }),
    'and the leader is let in',
  )
})
