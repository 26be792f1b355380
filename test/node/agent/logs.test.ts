/** A unit's output, read on its machine. */
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
