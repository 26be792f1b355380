import Docker from 'dockerode'
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
    makeImage: async (reference) => void engine.store.add(reference),
  })
})

let made = 0

await t.test('a real Docker engine', async (t) => {
  const world = realWorld()
  const name = `c${process.pid}`
  t.teardown(() => rackDown(world, { name }))
  const rack = await rackUp(world, { name, hosts: 1 })
  const { initPid } = await rack.status('n1')
  const root = `/proc/${initPid}/root`
  const socketPath = engineSocket(initPid ?? 0)
  const engine = dockerContainers({ socketPath, root })
  const docker = new Docker({ socketPath })
  await t.test('keeps the contract', (t) => {
    containersContract(t, {
      engine,
      run: (promise) => promise,
      crash: async () => {
        await rack.stopService('n1', 'dockerd', { signal: 'KILL' })
      },
      makeImage: async (reference) => {
        made += 1
        const [repo, tag] = reference.split(':')
        const container = await docker.createContainer({ Image: 'busybox:jangada' })
        await container.commit({ repo, tag, changes: `LABEL made=${made}` })
        await container.remove()
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
