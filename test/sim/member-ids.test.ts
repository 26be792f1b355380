import t from 'tap'
import { stateMachineSafety } from './invariants/state-machine-safety.ts'
import { World } from './world.ts'

const limitMs = 20_000

/**
 * A member begins with an empty log, and reads in it how the members changed before its time. Were
 * its id one that was used and given up, it would find itself voting there, perhaps alone.
 */
t.test('a machine whose disk is lost again and again is a new member each time', async (t) => {
  let world = new World({ seed: 1, invariants: [stateMachineSafety] })
  for (let seed = 2; world.machines.length !== 3; seed += 1) {
    world = new World({ seed, invariants: [stateMachineSafety] })
  }
  t.ok(await world.begin(), 'the cluster is up')
  const voters = (): readonly number[] => world.leader?.member.member.status().config.voters ?? []
  t.ok(await world.runUntil(() => voters().length === 3, limitMs), 'all three vote')
  const machine = world.machines.find((each) => each !== world.leader?.machine)
  if (machine === undefined) throw new Error('somebody follows')
  const id = (): number => machine.process?.core?.memberId ?? 0
  const given = new Set(voters())
  for (const time of ['first', 'second', 'third']) {
    const lost = id()
    machine.losePower()
    machine.replaceDisk()
    machine.gainPower()
    t.ok(await world.runUntil(() => id() !== 0, limitMs), `after the ${time} loss it begins anew`)
    if (!t.notOk(given.has(id()), `after the ${time} loss, under an id that nobody had`)) return
    const votesAgain = (): boolean => voters().includes(id()) && !voters().includes(lost)
    t.ok(await world.runUntil(votesAgain, limitMs), 'it votes in place of the one that was lost')
    given.add(id())
  }
})
