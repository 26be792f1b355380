import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { dockerContainers } from '../../src/platform/docker.ts'
import { engineSocket } from '../../src/tools/rack/engine.ts'
import { rackDown, rackUp } from '../../src/tools/rack/lifecycle.ts'
import { until } from '../../src/tools/rack/world.ts'
import { SimulatedTime } from '../sim/clock.ts'
import { SimulatedEngine } from '../sim/engine.ts'
import { realWorld } from '../tools/rack/world.ts'
import { containersContract } from './containers.ts'

t.setTimeout(120_000)
/** As the host's own, which `stopService` takes away. */
const dockerd = ['sh', '-c', 'rm -f /run/docker.pid; exec dockerd']

await t.test('the simulated engine', (t) => {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const engine = new SimulatedEngine({ time, random })
  containersContract(t, {
    engine,
    run: (promise) => time.runUntilSettled(promise, 3_600_000),
    crash: () => Promise.resolve(engine.crash()),
    restart: () => Promise.resolve(engine.restart()),
  })
})

await t.test('a real Docker engine', async (t) => {
  const world = realWorld()
  const name = `c${process.pid}`
  t.teardown(() => rackDown(world, { name }))
  const rack = await rackUp(world, { name, hosts: 1 })
  const { initPid } = await rack.status('n1')
  const engine = dockerContainers({ socketPath: engineSocket(initPid ?? 0) })
  await t.test('keeps the contract', (t) => {
    containersContract(t, {
      engine,
      run: (promise) => promise,
      crash: async () => {
        await rack.stopService('n1', 'dockerd', { signal: 'KILL' })
      },
      restart: async () => {
        await rack.startService('n1', 'dockerd', dockerd)
        const wait = { what: 'the engine answers', timeoutMs: 20_000 }
        await until(world.clock, wait, async () => {
          return engine.info().then(
            () => true as const,
            () => undefined,
          )
        })
      },
    })
  })
})
