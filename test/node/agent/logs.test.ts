/** A unit's output, and what units use, read on their machine. */
import t from 'tap'
import { AgentWorld } from './fixture.ts'

const read = async (world: AgentWorld, body: unknown): Promise<string> => {
  const feed = world.agent.methods().feeds.get('agent.logs')
  const peer = { keyHash: '', machineId: '', clusterId: '', remoteAddress: '' }
  const collect = async (): Promise<string> => {
    let text = ''
    const items = feed?.(body, { peer }, new AbortController().signal) ?? []
    for await (const item of items as AsyncIterable<string>) text += item
    return text
  }
  return world.time.runUntilSettled(collect(), 600_000)
}

t.test('of a unit that runs, has ended, or never was', async (t) => {
  const world = new AgentWorld()
  world.place('talk.service', [
    "ExecStart=/usr/bin/docker run busybox:jangada sh -c 'echo one; sleep 60; echo two'",
  ])
  world.agent.start()
  await world.untilWord('talk.service', 'active/running')
  t.equal(await read(world, { unit: 'talk.service', tail: 10, follow: false }), 'one\n')
  t.equal(await read(world, { unit: 'talk.service', tail: 10, follow: true }), 'one\ntwo\n')
  await world.untilWord('talk.service', 'inactive/dead')
  t.equal(await read(world, { unit: 'talk.service', tail: 1, follow: true }), 'two\n')
  await t.rejects(read(world, { unit: 'other.service', tail: 1, follow: false }), {
    code: 'JGD_NOT_FOUND',
  })
  await t.rejects(read(world, { unit: 'talk.service', tail: -1, follow: false }), {
    code: 'JGD_BAD_REQUEST',
  })
  world.engine.crash()
  await world.untilWord('talk.service', 'unknown/unknown')
  await t.rejects(read(world, { unit: 'talk.service', tail: 1, follow: false }), {
    code: 'JGD_ENGINE_DOWN',
  })
})

t.test('what units use, asked of the engine once however many ask', async (t) => {
  const world = new AgentWorld()
  world.place('work.service', ['ExecStart=/usr/bin/docker run busybox:jangada sleep 1000'])
  world.agent.start()
  await world.untilWord('work.service', 'active/running')
  let asked = 0
  const { engine } = world
  const usage = engine.usage.bind(engine)
  engine.usage = (ids) => {
    asked += 1
    return usage(ids)
  }
  const ask = () => world.time.runUntilSettled(world.agent.usage.units(), 60_000)
  const [first, second] = await world.time.runUntilSettled(
    Promise.all([world.agent.usage.units(), world.agent.usage.units()]),
    60_000,
  )
  t.same(first, second)
  t.match(first, [{ unit: 'work.service', memoryBytes: 2 ** 20 }])
  t.ok(Math.abs((first[0]?.cpus ?? 0) - 0.01) < 0.001, `${first[0]?.cpus} processors`)
  t.equal(asked, 2, 'twice, for a rate')
  await world.time.runFor(5000)
  await ask()
  t.equal(asked, 4)
  engine.crash()
  await world.untilWord('work.service', 'unknown/unknown')
  await world.time.runFor(5000)
  await t.rejects(ask(), { code: 'JGD_ENGINE_DOWN' })
})
