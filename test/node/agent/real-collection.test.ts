/** Collection on a real Docker engine, whose disk is whatever this computer has. */
import Docker from 'dockerode'
import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { machineId } from '../../../src/base/ids.ts'
import { clusterSettings } from '../../../src/core/records/keyspace.ts'
import { ImageCollection } from '../../../src/node/agent/image-collection.ts'
import { dockerContainers } from '../../../src/platform/docker.ts'
import { engineSocket } from '../../../src/tools/rack/engine.ts'
import { rackDown, rackUp } from '../../../src/tools/rack/lifecycle.ts'
import { until } from '../../../src/tools/rack/world.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Containers } from '../../../src/ports/containers.ts'
import { SimulatedDisk } from '../../sim/disk.ts'
import { noMetrics } from '../../sim/quiet.ts'
import { LocalStore } from '../../support/local-store.ts'
import { realWorld } from '../../tools/rack/world.ts'
import { cluster } from './fixture.ts'

t.setTimeout(120_000)
const world = realWorld()
const name = `g${process.pid}`
t.teardown(() => rackDown(world, { name }))
const rack = await rackUp(world, { name, hosts: 1 })
const { initPid } = await rack.status('n1')
const socketPath = engineSocket(initPid ?? 0)
const docker = new Docker({ socketPath })
const engine = dockerContainers({ socketPath, root: `/proc/${initPid}/root` })

/** There is no registry: an image of this name is made on the spot. */
async function make(reference: string): Promise<void> {
  const [repo, tag] = reference.split(':')
  const container = await docker.createContainer({ Image: 'busybox:jangada' })
  await container.commit({ repo, tag, changes: `LABEL made=${reference}` })
  await container.remove()
}
const containers = new Proxy<Containers>(engine, {
  get: (target, key) => {
    if (key === 'pull') return make
    const value: unknown = Reflect.get(target, key)
    return typeof value === 'function' ? value.bind(target) : value
  },
})

let laterMs = 0
const clock: Clock = {
  monotonicMs: () => world.clock.monotonicMs() + laterMs,
  wallMs: () => world.clock.wallMs() + laterMs,
  after: (delayMs, fire) => world.clock.after(delayMs, fire),
  atTurnsEnd: (fire) => world.clock.atTurnsEnd(fire),
}

t.test('what nothing needs goes from a disk above the ceiling, and all else stays', async (t) => {
  const store = new LocalStore()
  const settings = { v: 1, clusterId: cluster, createdMs: 0, featureLevel: 4, voters: 3 } as const
  // Nobody knows how full this computer's disk is: whatever may go, is to go.
  const bounds = { imageCollectionCeilingPercent: 1, imageCollectionFloorPercent: 0 }
  const whole = { ...settings, admission: 'sticky', status: 'full', ...bounds } as const
  store.put(clusterSettings.put(whole, 'cluster'))
  const told: string[] = []
  const stop = new AbortController()
  const collection = new ImageCollection({
    machineId: machineId('1'.repeat(32)),
    name: 'n1',
    host: { hostname: () => 'n1', readTextFile: () => Promise.resolve(null) },
    containers,
    disk: new SimulatedDisk(new SeededRandom(1)).mount(),
    ...{ store, clock, log: world.log, metrics: noMetrics },
    placed: { desired: [], specOf: () => undefined },
    signal: stop.signal,
    onEvent: ({ kind }) => told.push(kind),
  })
  for (const version of [1, 2, 3])
    await collection.pull(`app:${version}`, 60_000, () => undefined, 0)
  await make('mine:1')
  await docker.createContainer({ name: 'somebody', Image: 'app:2' })
  await rack.sh('n1', ['docker', 'tag', 'app:3', 'mine:3'])
  laterMs = 300_000
  collection.observe([])
  const isTold = (kind: string): Promise<true> =>
    until(
      world.clock,
      { what: kind, timeoutMs: 30_000 },
      async () => told.includes(kind) || undefined,
    )
  await isTold('images.collected')
  laterMs += 300_000
  collection.observe([])
  await isTold('images.no-room')
  stop.abort()
  const images = await rack.sh('n1', ['docker', 'images', '--format', '{{.Repository}}:{{.Tag}}'])
  t.same(images.trim().split('\n').toSorted(), [
    'app:2',
    'app:3',
    'busybox:jangada',
    'mine:1',
    'mine:3',
  ])
  t.same(told, ['images.collected', 'images.no-room'], 'that it was not enough, once that lasts')
})
