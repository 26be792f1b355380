/** Machines come back empty, and people ask for what would be better placed there. */
import t from 'tap'
import type { RebalanceAnswer } from '../../src/node/api/operation-answers.ts'
import { clusterOf, soonMs } from './membership.ts'
import { followersOf, placesOf, runOnce, start, told, unitFile, unitsOn } from './people.ts'

const names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => `job-${number}.service`)

t.test('after a power cut the work is spread again, with no moment without it', async (t) => {
  const world = await clusterOf(5)
  for (const name of names) await start(world, name, unitFile(''))
  await runOnce(world, ...names)
  const [victim] = followersOf(world)
  victim!.losePower()
  await runOnce(world, ...names)
  victim!.gainPower()
  const isBack = (): boolean =>
    world.committed.machines.values.every(({ status }) => status === 'ready')
  t.ok(await world.runUntil(isBack, soonMs))
  await world.run(20_000)
  t.same(unitsOn(victim!), [], 'nothing moves back by itself')

  const { moves } = await told<RebalanceAnswer>(world, 'GET', '/v1/rebalance')
  t.same(
    moves.map(({ to }) => to.id),
    [victim!.id, victim!.id],
  )
  const gaps = new Set<string>()
  for (const { unit } of moves) {
    await told(world, 'POST', `/v1/units/${unit}/move`)
    await t.rejects(told(world, 'POST', `/v1/units/${unit}/move`), /409/, 'one thing at a time')
    const isThere = (): boolean => {
      const places = placesOf(world, unit)
      if (places.length === 0) gaps.add(unit)
      return places.join() === victim!.name
    }
    t.ok(await world.runUntil(isThere, soonMs), unit)
  }
  t.same([...gaps], [], 'each ran somewhere at every moment')
  await runOnce(world, ...names)
  t.equal(unitsOn(victim!).length, 2)
  t.same((await told<RebalanceAnswer>(world, 'GET', '/v1/rebalance')).moves, [])
  await world.run(10_000)
  await runOnce(world, ...names)
})
