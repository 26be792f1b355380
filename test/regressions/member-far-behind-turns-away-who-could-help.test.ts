import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { worldInvariants } from '../sim/invariants/all.ts'
import type { SimulatedMachine } from '../sim/machine.ts'
import { idOf, isWhole, soonMs, votersOf } from '../sim/membership.ts'
import { World } from '../sim/world.ts'

/**
 * A member that heard its leader's heartbeats took its records for new, and let in nobody that
 * these do not list. But one that needs a snapshot hears heartbeats too, and its records end where
 * its log does: it turned away the leader that came with the snapshot, every second, for ever.
 */

const entriesBetweenSnapshots = 200
const shape = { machines: 5, voters: 5, memberSizes: { entriesBetweenSnapshots } } as const

/** More than the log keeps, through whoever leads. */
async function outgrowTheLog(world: World): Promise<void> {
  for (let at = 0; at < 3 * entriesBetweenSnapshots; at += 1) {
    const put = { kind: 'put', key: `key/${at % 50}`, value: utf8(`${at}`) } as const
    const writing = world.leader!.member.transact({ compare: [], then: [put], otherwise: [] })
    await world.time.runUntilSettled(writing, soonMs)
  }
}

/** As far as the leader, and with it for a second: not only for a moment. */
async function catchesUp(world: World, machine: SimulatedMachine): Promise<boolean> {
  const isLevel = (): boolean =>
    machine.process?.core?.member?.member.store.revision ===
    world.leader?.member.member.store.revision
  if (!(await world.runUntil(isLevel, soonMs))) return false
  await world.run(1000)
  return world.runUntil(isLevel, soonMs)
}

t.test('the leader’s machine had joined while the voter was away', async (t) => {
  const world = new World({ seed: 1, shape, invariants: worldInvariants })
  t.ok(await world.begin(), 'the cluster is up')
  t.ok(await world.runUntil(() => isWhole(world, 5), soonMs))
  await world.run(2000)
  const followers = votersOf(world).filter((machine) => machine !== world.leader?.machine)
  const [away, anew] = followers as [SimulatedMachine, SimulatedMachine]
  const id = idOf(away)
  away.losePower()
  anew.losePower()
  anew.replaceDisk()
  await world.run(3000)
  anew.gainPower()
  // While the change is under way a candidate needs the votes of both sides, and two of them are away.
  const isChanging = (): boolean =>
    world.leader?.member.member.status().config.outgoing.length !== 0
  const isBack = (): boolean => votersOf(world).includes(anew) && !isChanging()
  t.ok(await world.runUntil(isBack, 60_000), 'it votes again, under a new key')
  world.leader!.machine.process!.core!.transferTo(idOf(anew))
  t.ok(await world.runUntil(() => world.leader?.machine === anew, soonMs), 'and leads')
  await outgrowTheLog(world)
  t.equal(world.leader?.machine, anew)
  away.gainPower()
  t.ok(await catchesUp(world, away), 'the voter has everything')
  t.equal(idOf(away), id, 'as the member that it was')
})
