/**
 * A machine that nobody heard for two seconds started a fencer, though no unit of it must never run
 * twice: a process that nothing needs, and that kept the name of a service after its stop.
 */
import t from 'tap'
import { AgentWorld } from '../node/agent/fixture.ts'

const asked = (world: AgentWorld): (() => number) => {
  let count = 0
  const { fencer } = world
  const connect = fencer.connect.bind(fencer)
  fencer.connect = (clock, heard) => {
    const real = connect(clock, heard)
    return {
      tell: (order) => {
        count += 1
        return real.tell(order)
      },
    }
  }
  return () => count
}

t.test('nobody hears a machine whose units all run on', async (t) => {
  const world = new AgentWorld()
  const count = asked(world)
  world.agent = world.makeAgent()
  world.place('web.service', ['ExecStart=/usr/bin/docker run --init busybox:jangada'])
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  world.answer = () => Promise.reject(new Error('nobody is there'))
  await world.time.runFor(10_000)
  t.equal(count(), 0, 'no fencer is asked for')
  t.equal(world.word('web.service'), 'active/running')
})
