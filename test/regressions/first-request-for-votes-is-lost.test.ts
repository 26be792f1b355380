import t from 'tap'
import { clusterOf, soonMs } from '../sim/membership.ts'

/** The longest that a follower waits before it stands, and what an election takes then. */
const oneElectionMs = 299 + 50

/**
 * Members that only follow have no stream to each other. Whoever stood for election asked for
 * votes while its streams were still being opened; the requests were dropped, nobody asks twice,
 * and every election took a second timeout: 300 to 600 ms without a leader, also after a transfer.
 */
t.test('a leader that is gone is followed by another after one election', async (t) => {
  const world = await clusterOf(5, 5)
  await world.run(2000)
  for (let round = 0; round < 4; round += 1) {
    const { leader } = world
    if (leader === undefined) throw new Error('nobody leads')
    leader.machine.losePower()
    const fromMs = world.time.nowMs
    const isLed = (): boolean =>
      world.machines.some(
        ({ process }) => process?.core?.member?.member.leadership.role === 'leader',
      )
    t.ok(await world.runUntil(isLed, soonMs))
    const waitedMs = Math.round(world.time.nowMs - fromMs)
    t.ok(waitedMs <= oneElectionMs, `${waitedMs} ms without a leader`)
    leader.machine.gainPower()
    await world.run(4000)
  }
})
