import t from 'tap'
import { clusterOf, isWhole, soonMs, told, votersOf } from '../sim/membership.ts'

/**
 * A leader announced its own planned silence to itself, handed over, and was gone: the next one
 * knew nothing of it, declared the machine lost, and moved its units.
 */
t.test('a leader that is stopped for a while is waited for, as any machine is', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  for (let round = 0; round < 3; round += 1) {
    const { machine } = world.leader!
    await world.time.runUntilSettled(machine.stop(), soonMs)
    await world.run(8000)
    t.same(await told(world, 'machine.lost'), [], `${machine.name} is away, and is not lost`)
    machine.start()
    t.ok(await world.runUntil(() => isWhole(world, 3), soonMs))
    await world.run(2000)
  }
})

/** The silence was the leader's to remember, and the next leader declared the machine lost. */
t.test('an announced silence outlives the leader that it was announced to', async (t) => {
  const world = await clusterOf(5)
  await world.run(2000)
  const leader = world.leader!.machine
  const stopped = world.machines.find((machine) => !votersOf(world).includes(machine))!
  await world.time.runUntilSettled(stopped.stop(), soonMs)
  await world.run(500)
  leader.losePower()
  const isLed = (): boolean => world.leader !== undefined && world.leader.machine !== leader
  t.ok(await world.runUntil(isLed, soonMs))
  await world.run(8000)
  const lost = await told(world, 'machine.lost')
  t.equal(lost.length, 1, lost.join('; '))
  t.match(lost[0], new RegExp(`^${leader.name} `), 'the one without power')
})
