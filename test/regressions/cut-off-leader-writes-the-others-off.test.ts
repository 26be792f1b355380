/**
 * On a busy machine a leader gives its office up later than it takes silent machines for lost. Cut off
 * from all of them, it wrote down that they were lost; nobody could agree, but once the network was back
 * it led again, its log held, and what ran on healthy machines was moved.
 */
import t from 'tap'
import { clusterOf, told } from '../sim/membership.ts'
import { placesOf, running, runOnce, start, unitFile } from '../sim/people.ts'

/** The last is for a leader that wrote off its own machine as it took office, unheard for a while. */
for (const [cutMs, loopDelayMs] of [
  [4000, 120],
  [8000, 120],
  [2700, 60],
] as const) {
  t.test(`cut from each other for ${cutMs} ms, with loops late by ${loopDelayMs} ms`, async (t) => {
    const world = await clusterOf(3)
    const names = [1, 2, 3, 4, 5, 6].map((number) => `job-${number}.service`)
    for (const name of names) await start(world, name, unitFile(''))
    await runOnce(world, ...names)
    for (const machine of world.machines) machine.loopDelayMs = loopDelayMs
    await world.run(5000)
    const before = running(world.machines)
    const hosts = world.machines.map(({ host }) => host)
    world.network.partition(hosts, hosts)
    await world.run(cutMs)
    world.network.healAll()
    await world.run(15_000)
    t.same(await told(world, 'machine.lost'), [])
    t.same(running(world.machines), before)
    t.equal(names.flatMap((name) => placesOf(world, name)).length, names.length)
  })
}
