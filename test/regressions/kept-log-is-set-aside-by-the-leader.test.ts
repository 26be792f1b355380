import t from 'tap'
import { claimMs } from '../../src/node/member/claim.ts'
import { clusterOf, isWhole, put, told, write } from '../sim/membership.ts'

/**
 * A member that met what it cannot apply ended and kept its log, and its machine said that it had no
 * member. To the leader that was a machine that had been wiped: it made a new member there, which set
 * the log aside, and again when that one met the same; the third time the first log was removed.
 * Meanwhile both voices of the machine's pulse went to itself, for the records named it twice, and it
 * was taken for lost.
 */
t.test('a log that its member cannot go on with is kept, for whoever looks', async (t) => {
  const world = await clusterOf(3)
  await world.run(5000)
  const leader = world.leader!.machine
  const victim = world.machines.find((machine) => machine !== leader)!
  const { member } = victim.process!.core!.member!
  member.store.apply = () => {
    throw new TypeError('a mistake of our own')
  }
  await write(world, put('key', 'value'))
  await world.run(claimMs - 60_000)
  t.equal(victim.process?.core?.member, undefined, 'the member has ended')
  t.same(
    victim.disk.names('').filter((name) => name.startsWith('wal.')),
    [],
    'its log is where it was',
  )
  const isBack = (): boolean => victim.process?.core?.member !== undefined
  t.ok(await world.runUntil(isBack, 240_000), 'later it has a new one')
  t.ok(await world.runUntil(() => isWhole(world, 3), 60_000))
  t.match(
    victim.disk.names('').filter((name) => name.startsWith('wal.')),
    [/^wal\.aside-\d+$/],
    'and the old log is beside',
  )
  t.same(await told(world, 'machine.lost'), [], 'the machine was there all the time')
})
