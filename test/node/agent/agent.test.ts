/** What the agent does about what is placed on its machine. */
import t from 'tap'
import { noteListed } from './helpers.ts'
import { machineId } from '../../../src/base/ids.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import { AgentWorld, cluster, own, sleeping } from './fixture.ts'

t.test('a placed unit runs within the time that its engine needs', async (t) => {
  const world = new AgentWorld()
  world.agent.start()
  await world.time.runFor(2_000)
  world.place(
    'web.service',
    [
      'ExecStart=/usr/bin/docker run -e COLOUR=blue --label tier=front busybox:jangada sleep 100000',
      'ExecStop=/usr/bin/docker stop -t 3 web',
    ].map((line) => line.replace('docker run', 'docker run --name web')),
  )
  const tookMs = await world.until('its container runs', () => world.engine.running.length === 1)
  t.ok(tookMs <= 265, `the engine's create and start, and no more: ${tookMs} ms`)
  await world.untilWord('web.service', 'active/running')
  const [container] = world.engine.running
  const generation = world.state('web.service')?.generation
  t.match(container, {
    name: `jangada-web-${generation}`,
    labels: {
      tier: 'front',
      'jangada.cluster': cluster,
      'jangada.unit': 'web.service',
      'jangada.generation': String(generation),
      'jangada.hash': 'hash-1',
      'jangada.stop-signal': '',
      'jangada.stop-grace-ms': '3000',
    },
  })
  const { items } = await world.store.range(keyspace.placements.range, 'local')
  t.equal(generation, items[0]?.createRevision)
  t.same(noteListed(world), ['web.service'])
})

t.test('each container is told which unit, generation and machine it is', async (t) => {
  const world = new AgentWorld()
  const specs: unknown[] = []
  const { engine } = world
  world.containers = new Proxy(engine, {
    get: (target, name) => {
      if (name === 'create') {
        return (given: string, spec: { Env: string[] }) => {
          specs.push(spec.Env)
          return target.create(given, spec as never)
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  world.files.set('/etc/web.env', 'COLOUR=blue\nJANGADA_UNIT=another\n')
  world.place('web.service', [
    'EnvironmentFile=/etc/web.env',
    'ExecStart=/usr/bin/docker run -e COLOUR -e JANGADA_UNIT busybox:jangada sleep 100000',
  ])
  await world.restartAgent()
  await world.untilWord('web.service', 'active/running')
  const generation = world.state('web.service')?.generation
  t.same(specs, [
    [
      'COLOUR=blue',
      'JANGADA_UNIT=web.service',
      `JANGADA_GENERATION=${generation}`,
      `JANGADA_MACHINE=${own}`,
    ],
  ])
})

t.test('an agent that starts again touches no healthy container', async (t) => {
  const world = new AgentWorld()
  for (const name of ['a.service', 'b.service', 'c.service']) world.place(name, sleeping)
  world.agent.start()
  await world.until('three run', () => world.engine.running.length === 3)
  const before = world.engine.running.map(({ id }) => id)
  for (let restart = 0; restart < 3; restart += 1) {
    await world.restartAgent()
    await world.untilWord('c.service', 'active/running')
    await world.time.runFor(15_000)
  }
  t.same(
    world.engine.running.map(({ id }) => id),
    before,
  )
  t.equal(world.engine.starts, 3)
})

t.test('an agent killed in the middle of a start leaves nothing twice', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', sleeping)
  for (let after = 0; after < 300; after += 7) {
    await world.restartAgent()
    await world.time.runFor(after)
  }
  await world.untilWord('web.service', 'active/running')
  await world.time.runFor(15_000)
  t.equal(world.engine.all.length, 1)
})

t.test('before the first linearizable list nothing is started or stopped', async (t) => {
  const world = new AgentWorld()
  world.place('old.service', [...sleeping, 'TimeoutStopSec=1'])
  world.agent.start()
  await world.untilWord('old.service', 'active/running')
  await world.agent.stop()
  world.unplace('old.service')
  world.place('new.service', sleeping)
  world.store.leadership = { ...world.store.leadership, hasQuorum: false }
  await world.restartAgent()
  await world.time.runFor(30_000)
  t.equal(world.engine.running.length, 1)
  t.equal(world.engine.starts, 1)
  t.same(world.agent.unitStates(), [])
  world.store.leadership = { ...world.store.leadership, hasQuorum: true }
  await world.untilWord('new.service', 'active/running')
  await world.until('the old one is gone', () => world.engine.all.length === 1)
})

t.test('a unit that is gone is stopped as it asked to be, and reported gone', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', [...sleeping, 'TimeoutStopSec=2'])
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  world.unplace('web.service')
  await world.untilWord('web.service', 'deactivating/stop')
  const tookMs = await world.until('it is gone', () => world.engine.all.length === 0)
  t.ok(tookMs >= 2_000 && tookMs < 2_200, `process 1 ignored SIGTERM for ${tookMs} ms`)
  await world.until('its state is gone', () => world.state('web.service') === undefined)
  const told = (): boolean =>
    world.pulses.some(({ pulse }) => pulse.reports.some((report) => report.kind === 'gone'))
  await world.until('the leader is told', told)
})

t.test('the engine dies: all is unknown, nothing is dead, and it catches up after', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', [...sleeping, 'Restart=always'])
  world.place('api.service', sleeping)
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  await world.untilWord('api.service', 'active/running')
  const [web] = world.engine.running.filter(({ name }) => name.includes('web'))
  world.engine.crash()
  await world.untilWord('web.service', 'unknown/unknown')
  // Nobody will ever tell of this death.
  world.engine.killContainer(web?.id ?? '')
  await world.time.runFor(10_000)
  t.equal(world.word('api.service'), 'unknown/unknown')
  world.engine.restart()
  await world.untilWord('api.service', 'active/running')
  await world.untilWord('web.service', 'active/running')
  t.equal(world.state('web.service')?.restarts, 1)
  t.equal(world.engine.starts, 3)
})

t.test('a container that is killed runs again within RestartSec', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', [...sleeping, 'Restart=always'])
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  await world.time.runFor(60_000)
  world.engine.killContainer(world.engine.running[0]?.id ?? '')
  const tookMs = await world.until('it runs again', () => world.engine.running.length === 1)
  t.ok(tookMs < 450, `${tookMs} ms`)
  await world.until('it is counted', () => world.state('web.service')?.restarts === 1)
})

t.test('a changed unit replaces the container of the old one', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', [...sleeping, 'TimeoutStopSec=1'])
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  const [old] = world.engine.running
  world.place('web.service', sleeping, { hash: 'hash-2' })
  await world.until('the new one runs', () =>
    world.engine.running.some(({ labels }) => labels['jangada.hash'] === 'hash-2'),
  )
  t.notOk(world.engine.all.some(({ id }) => id === old?.id))
})

t.test('at most four containers start at once', async (t) => {
  const world = new AgentWorld()
  let busy = 0
  let most = 0
  const { engine } = world
  const count = async <T>(work: () => Promise<T>): Promise<T> => {
    busy += 1
    most = Math.max(most, busy)
    try {
      return await work()
    } finally {
      busy -= 1
    }
  }
  world.containers = new Proxy(engine, {
    get: (target, name) => {
      if (name === 'create')
        return (...args: [string, never]) => count(() => target.create(...args))
      if (name === 'start') return (id: string) => count(() => target.start(id))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  for (let at = 0; at < 20; at += 1) world.place(`u${at}.service`, sleeping)
  await world.restartAgent()
  await world.until('all run', () => world.engine.running.length === 20)
  t.equal(most, 4)
})

t.test('a unit waits for another on the same machine', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', sleeping, { unit: ['Requires=db.service'] })
  world.agent.start()
  await world.untilWord('web.service', 'activating/waiting')
  t.match(world.state('web.service')?.message, /db\.service/)
  world.place('db.service', sleeping)
  await world.untilWord('web.service', 'active/running')
})

t.test('placements told as of the past stop nothing', async (t) => {
  const world = new AgentWorld()
  const told: { past?: number } = {}
  const { store } = world
  const range = store.range
  store.range = async (request, consistency) => {
    const result = await range(request, consistency)
    const isPlacements = request.key.startsWith(keyspace.placements.prefix)
    if (told.past === undefined || !isPlacements) return result
    return { ...result, items: [], revision: told.past as never }
  }
  const watch = store.watch
  let endWatch = new AbortController()
  store.watch = (request, signal) => watch(request, AbortSignal.any([signal, endWatch.signal]))
  world.agent.start()
  world.place('web.service', [...sleeping, 'TimeoutStopSec=1'])
  await world.untilWord('web.service', 'active/running')
  // Before the unit was placed, there was nothing.
  told.past = Number(world.state('web.service')?.generation) - 1
  const ended = endWatch
  endWatch = new AbortController()
  store.watch = () => ({
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
  })
  ended.abort()
  await world.time.runFor(30_000)
  t.equal(world.engine.running.length, 1)
})

t.test('another machine’s placements are none of its business', async (t) => {
  const world = new AgentWorld()
  const other = machineId('2'.repeat(32))
  const placement = {
    v: 1,
    unit: 'web.service',
    desired: 'launched',
    hash: 'h',
    placedMs: 0,
  } as const
  world.store.put(keyspace.placements.put({ ...placement, machine: other }, other, 'web.service'))
  world.agent.start()
  await world.time.runFor(5_000)
  t.same(world.agent.unitStates(), [])
})
