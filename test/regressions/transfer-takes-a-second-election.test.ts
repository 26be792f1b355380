import t from 'tap'
import { clusterOf, idOf, soonMs, votersOf } from '../sim/membership.ts'

/** A few round trips, and the handshakes of streams that were not there. */
const handOverMs = 100

/**
 * Members that only follow have no stream to each other. Whoever was told to lead asked for votes
 * while its streams were still being opened; the requests were dropped, nobody asks twice, and
 * the cluster had no leader until an election timeout later, often with yet another one.
 */
t.test('who is told to lead leads at once, though it has never spoken to the others', async (t) => {
  const world = await clusterOf(5, 5)
  await world.run(2000)
  const [old] = votersOf(world).filter((each) => each === world.leader?.machine)
  for (const next of votersOf(world).filter((each) => each !== old)) {
    const leading = world.leader!
    leading.member.member.transferTo(idOf(next))
    const fromMs = world.time.nowMs
    const isOver = (): boolean => leading.member.member.leadership.role !== 'leader'
    t.ok(await world.runUntil(isOver, soonMs), 'the old leader stands back')
    const leads = (): boolean => next.process?.core?.member?.member.leadership.role === 'leader'
    const inTime = await world.runUntil(leads, handOverMs)
    t.ok(inTime, `${next.name} leads ${Math.round(world.time.nowMs - fromMs)} ms later`)
    t.ok(await world.runUntil(() => world.leader !== undefined, soonMs))
  }
})
