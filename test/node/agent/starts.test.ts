/** Starts that need more than an engine: images, files, time. */
import t from 'tap'
import { sleep } from '../../../src/ports/clock.ts'
import { SimulatedClock } from '../../sim/clock.ts'
import { AgentWorld } from './fixture.ts'

const line = (rest: string): string[] => [`ExecStart=/usr/bin/docker run ${rest}`]

t.test('a missing image is pulled, for everyone to see, and then it runs', async (t) => {
  const world = new AgentWorld({ registry: ['cache/redis:7'] })
  world.place('cache.service', line('cache/redis:7 sleep 100000'))
  world.agent.start()
  await world.untilWord('cache.service', 'activating/pulling')
  t.match(world.state('cache.service')?.message, /cache\/redis:7/)
  await world.untilWord('cache.service', 'active/running')
})

t.test('an image that may not be pulled, and is not there, is a failure with a code', async (t) => {
  const world = new AgentWorld({ registry: ['cache/redis:7'] })
  world.place('cache.service', line('--pull=never cache/redis:7'))
  world.agent.start()
  await world.untilWord('cache.service', 'failed/failed')
  t.match(world.state('cache.service')?.message, /JGD_IMAGE_MISSING/)
})

t.test('an image that no registry has is a failure with a code', async (t) => {
  const world = new AgentWorld()
  world.place('cache.service', line('cache/redis:8'))
  world.agent.start()
  await world.untilWord('cache.service', 'failed/failed')
  t.match(world.state('cache.service')?.message, /JGD_IMAGE_PULL/)
})

t.test('a pull before the start may fail where a - says so', async (t) => {
  const world = new AgentWorld()
  const run = line('busybox:jangada sleep 100000')
  world.place('may.service', ['ExecStartPre=-/usr/bin/docker pull busybox:jangada', ...run])
  world.place('must.service', ['ExecStartPre=/usr/bin/docker pull busybox:jangada', ...run])
  world.agent.start()
  await world.untilWord('may.service', 'active/running')
  await world.untilWord('must.service', 'failed/failed')
  t.match(world.state('must.service')?.message, /JGD_IMAGE_PULL/)
})

const newest = 'web/app:latest'

/** A machine that has an image, of which the registry has a newer one by now. */
function worldWithNewerImage(pace: { firstWordMs: number; allMs: number }): AgentWorld {
  const world = new AgentWorld()
  world.engine.store.add(newest)
  world.engine.publish(newest)
  world.engine.store.registryPace = pace
  return world
}

t.test('an optional pull of a newer image takes the time that it needs', async (t) => {
  const world = worldWithNewerImage({ firstWordMs: 2_000, allMs: 40_000 })
  const old = world.engine.store.find(newest)
  world.place('web.service', [`ExecStartPre=-/usr/bin/docker pull ${newest}`, ...line(newest)])
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  t.not(world.engine.running[0]?.imageDigest, old, 'the newer one runs')
})

t.test('a silent registry costs an optional pull of what is here five seconds', async (t) => {
  const world = worldWithNewerImage({ firstWordMs: 3_600_000, allMs: 3_600_001 })
  const old = world.engine.store.find(newest)
  world.place('web.service', [`ExecStartPre=-/usr/bin/docker pull ${newest}`, ...line(newest)])
  world.agent.start()
  const tookMs = await world.untilWord('web.service', 'active/running')
  t.ok(tookMs >= 5_000 && tookMs < 6_000, `${tookMs} ms`)
  t.equal(world.engine.running[0]?.imageDigest, old, 'what is here runs')
})

t.test('a pull of minutes is no failure where no TimeoutStartSec is written', async (t) => {
  const world = new AgentWorld({ registry: ['model/huge:1'] })
  world.engine.store.registryPace = { firstWordMs: 1_000, allMs: 600_000 }
  world.place('slow.service', line('model/huge:1'))
  world.place('pre.service', ['ExecStartPre=/usr/bin/docker pull model/huge:1', ...line(newest)])
  world.place('strict.service', ['TimeoutStartSec=90', ...line('model/huge:1')])
  world.agent.start()
  await world.untilWord('slow.service', 'activating/pulling')
  await world.time.runFor(300_000)
  t.equal(world.word('slow.service'), 'activating/pulling')
  t.equal(world.word('pre.service'), 'activating/pulling')
  t.match(
    world.state('strict.service')?.message,
    /TimeoutStartSec \(90 s\)/,
    'a written limit holds',
  )
  await world.time.runFor(300_000)
  await world.untilWord('slow.service', 'active/running')
})

t.test('a registry without a word is a failure after a minute and a half', async (t) => {
  const world = new AgentWorld({ registry: ['model/huge:1'] })
  world.engine.store.registryPace = { firstWordMs: 3_600_000, allMs: 3_600_001 }
  world.place('slow.service', line('model/huge:1'))
  world.agent.start()
  await world.time.runFor(89_000)
  t.equal(world.word('slow.service'), 'activating/pulling')
  await world.untilWord('slow.service', 'failed/failed')
  t.match(world.state('slow.service')?.message, /JGD_IMAGE_PULL/)
})

t.test(
  'creating and starting count within the default limit, and the pull before does not',
  async (t) => {
    const world = new AgentWorld({ registry: ['model/huge:1'] })
    world.engine.store.registryPace = { firstWordMs: 1_000, allMs: 300_000 }
    world.containers = new Proxy(world.engine, {
      get: (target, name) => {
        if (name === 'start') return () => new Promise(() => undefined)
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    world.place('slow.service', line('model/huge:1'))
    await world.restartAgent()
    await world.time.runFor(300_000)
    await world.untilWord('slow.service', 'activating/start')
    await world.time.runFor(60_000)
    t.equal(world.word('slow.service'), 'activating/start')
    await world.untilWord('slow.service', 'failed/failed')
    t.match(world.state('slow.service')?.message, /TimeoutStartSec \(90 s\)/)
  },
)

t.test('TimeoutStartSec holds for the pull too', async (t) => {
  const world = new AgentWorld({ registry: ['cache/redis:7'] })
  world.containers = new Proxy(world.engine, {
    get: (target, name) => {
      if (name === 'pull') return () => new Promise(() => undefined)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  world.place('cache.service', ['TimeoutStartSec=5', ...line('cache/redis:7')])
  await world.restartAgent()
  const tookMs = await world.untilWord('cache.service', 'failed/failed')
  t.ok(tookMs >= 5_000 && tookMs < 5_500, `${tookMs} ms`)
  t.match(world.state('cache.service')?.message, /TimeoutStartSec/)
})

t.test('TimeoutStartSec does not count the wait behind other units', async (t) => {
  const world = new AgentWorld()
  const slowMs = 3_000
  const clock = new SimulatedClock(world.time, world.random.fork())
  world.containers = new Proxy(world.engine, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (name === 'start') {
        return async (id: string) => {
          await sleep(clock, slowMs)
          return target.start(id)
        }
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const units = Array.from({ length: 12 }, (_, at) => `slow-${at}.service`)
  for (const unit of units) {
    world.place(unit, ['TimeoutStartSec=5', ...line('busybox:jangada sleep 100000')])
  }
  await world.restartAgent()
  await world.until('all run, the last after 9 s', () =>
    units.every((unit) => world.word(unit) === 'active/running'),
  )
  t.ok(units.every((unit) => world.state(unit)?.restarts === 0))
})

t.test('an engine that drowns in starts is given fewer, and more once it keeps up', async (t) => {
  const world = new AgentWorld()
  const clock = new SimulatedClock(world.time, world.random.fork())
  let alone = 9_000
  let inside = 0
  const atOnce: number[] = []
  world.containers = new Proxy(world.engine, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (name === 'start') {
        return async (id: string) => {
          inside += 1
          atOnce.push(inside)
          // Two take four times as long as one: they are in each other's way.
          await sleep(clock, alone * inside * inside)
          inside -= 1
          return target.start(id)
        }
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const place = (name: string): string => {
    const unit = `${name}.service`
    world.place(unit, ['TimeoutStartSec=60', 'Restart=always', ...line(newest)])
    return unit
  }
  world.engine.store.add(newest)
  const allRun = (units: readonly string[]) => () =>
    units.every((unit) => world.word(unit) === 'active/running')
  const first = Array.from({ length: 8 }, (_, at) => place(`slow-${at}`))
  await world.restartAgent()
  await world.until('all run', allRun(first), 600_000)
  t.equal(Math.max(...atOnce), 4)
  t.equal(atOnce.at(-1), 1, 'one after the other in the end')

  alone = 1_000
  atOnce.length = 0
  await world.until('more run', allRun(Array.from({ length: 4 }, (_, at) => place(`more-${at}`))))
  t.equal(Math.max(...atOnce), 2)
})

t.test('a slow pull is given up when its unit goes', async (t) => {
  const world = new AgentWorld()
  world.containers = new Proxy(world.engine, {
    get: (target, name) => {
      if (name === 'pull') return () => new Promise(() => undefined)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  world.place('cache.service', line('cache/redis:7'))
  await world.restartAgent()
  await world.untilWord('cache.service', 'activating/pulling')
  world.unplace('cache.service')
  const tookMs = await world.until('it is gone', () => world.state('cache.service') === undefined)
  t.ok(tookMs < 1_000, `${tookMs} ms`)
})

t.test('a program that is not in the image fails the start, and leaves no container', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', line('busybox:jangada no-such-program'))
  world.agent.start()
  await world.untilWord('web.service', 'failed/failed')
  t.match(world.state('web.service')?.message, /JGD_BAD_REQUEST.*no-such-program/)
  await world.until('nothing is left', () => world.engine.all.length === 0)
})

t.test('a file of the machine that is missing is named', async (t) => {
  const world = new AgentWorld()
  const run = line('busybox:jangada sleep 100000')
  world.place('web.service', ['EnvironmentFile=/etc/web.env', 'Restart=on-failure', ...run])
  world.agent.start()
  await world.untilWord('web.service', 'activating/auto-restart')
  t.match(world.state('web.service')?.message, /\/etc\/web\.env/)
  world.files.set('/etc/web.env', 'A=1')
  await world.untilWord('web.service', 'active/running')
})

t.test('a unit whose record is not there, or is another one, waits for it', async (t) => {
  const world = new AgentWorld()
  world.place('web.service', line('busybox:jangada sleep 100000'), { hash: 'hash-1' })
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  world.store.put({ kind: 'delete', key: '/jangada/units/web.service' })
  await world.time.runFor(10_000)
  t.equal(world.word('web.service'), 'active/running', 'what runs, runs on')
  await world.restartAgent()
  await world.until('it is told', () => world.state('web.service') !== undefined)
  t.equal(world.word('web.service'), 'active/running', 'also for a new agent')
})
