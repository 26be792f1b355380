import t from 'tap'
import { clusterSettings } from '../../src/core/records/keyspace.ts'
import { clusterOf, isWhole, settingsOf, soonMs, told, write } from '../sim/membership.ts'

/**
 * A leader that stood still for seconds and was not replaced, because nobody else votes, looked
 * at its table before it read what had come meanwhile: everybody else was lost.
 */
for (const stoodMs of [1800, 3000, 20_000]) {
  t.test(`who stood still for ${stoodMs} ms declares nobody lost for it`, async (t) => {
    const world = await clusterOf(3)
    await write(world, clusterSettings.put({ ...settingsOf(world)!, voters: 1 }, 'cluster'))
    t.ok(await world.runUntil(() => isWhole(world, 1), soonMs), 'nobody else could lead')
    await world.run(2000)
    const { machine } = world.leader!
    machine.freeze()
    await world.run(stoodMs)
    machine.thaw()
    await world.run(10_000)
    t.same(await told(world, 'machine.lost'), [])
    const [other] = world.machines.filter((each) => each !== machine)
    other!.losePower()
    t.ok(
      await world.runUntil(() => world.committed.machines.values.some(isLost), soonMs),
      'whoever has no power then is lost',
    )
  })
}

/** Each stall left as long a doubt behind, and the next one came before it was over. */
t.test('who stands still again and again still sees who is gone', async (t) => {
  const world = await clusterOf(3)
  await write(world, clusterSettings.put({ ...settingsOf(world)!, voters: 1 }, 'cluster'))
  t.ok(await world.runUntil(() => isWhole(world, 1), soonMs))
  await world.run(2000)
  const { machine } = world.leader!
  const [other] = world.machines.filter((each) => each !== machine)
  const standsStill = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      machine.freeze()
      await world.run(450)
      machine.thaw()
      await world.run(250)
    }
  }
  await standsStill(40)
  t.same(await told(world, 'machine.lost'), [], 'nobody while all are there')
  other!.losePower()
  await standsStill(20)
  const lost = await told(world, 'machine.lost')
  t.equal(lost.length, 1, lost.join('; '))
  t.match(lost[0], new RegExp(`^${other!.name} `))
})

const isLost = ({ status }: { readonly status: string }): boolean => status === 'lost'
