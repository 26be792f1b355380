/**
 * An agent was killed while its engine started a container. The next one saw it created and not running,
 * took it for what a failed start had left, and removed it by force: by then it ran.
 */
import t from 'tap'
import type { Containers } from '../../src/ports/containers.ts'
import { AgentWorld } from '../node/agent/fixture.ts'

type Call = (...args: unknown[]) => unknown

t.test('the container that an agent before had started runs on', async (t) => {
  const world = new AgentWorld()
  const { engine } = world
  const asked: string[] = []
  const over = (changed: (name: string, call: Call) => Call): Containers =>
    new Proxy<Containers>(engine, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return changed(String(name), value.bind(target) as Call)
      },
    })
  let isKilled = false
  const never = new Promise(() => undefined)
  world.containers = over((name, call) => (...args) => {
    if (name === 'start') asked.push(String(args[0]))
    return isKilled || name === 'start' ? never : call(...args)
  })
  world.agent = world.makeAgent()
  world.place('late.service', ['ExecStart=/usr/bin/docker run busybox:jangada sleep 100000'])
  world.agent.start()
  await world.until('its engine was asked to start it', () => asked.length === 1)
  isKilled = true
  void world.agent.stop()
  world.containers = over((name, call) => {
    if (name !== 'remove' && name !== 'removeStopped') return call
    return async (id) => {
      // The engine has done by now what it was asked for.
      if (asked.includes(String(id))) await engine.start(String(id))
      return call(id)
    }
  })
  world.agent = world.makeAgent()
  world.agent.start()
  await world.untilWord('late.service', 'active/running')
  t.same(
    engine.running.map(({ id }) => id),
    asked,
    'it is that one',
  )
})
