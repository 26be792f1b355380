/** The life of units on one machine, as stories. */
import t from 'tap'
import type { UnitName } from '../../../src/base/ids.ts'
import { containerName, readLabels, writeLabels } from '../../../src/core/reconcile/labels.ts'
import type { Generation } from '../../../src/base/ids.ts'
import { summarize, World } from './helpers.ts'

t.test('a placed unit is started once, and reported running', async (t) => {
  const world = new World()
  world.place('web.service')
  const [start] = world.look()
  t.match(start, { kind: 'start', unit: 'web.service', generation: 5, restarts: 0, leftovers: [] })
  t.equal(world.state('web.service'), 'activating/start-pre')
  world.work.set('web.service' as UnitName, {
    kind: 'start',
    hash: 'hash-1',
    phase: 'pulling',
    message: 'busybox',
  })
  t.same(world.look(), [], 'one thing at a time')
  t.equal(world.state('web.service'), 'activating/pulling')
  world.work.clear()
  world.run('web.service', {})
  t.same(world.look(), [])
  t.equal(world.state('web.service'), 'active/running')
  t.match(world.last?.conditions.get('web.service' as UnitName), { image: 'busybox:jangada' })
})

t.test('a new agent adopts what runs', async (t) => {
  const world = new World()
  world.place('web.service', { generation: 9 })
  const id = world.run('web.service', { generation: 5, restarts: 3 })
  t.same(world.settle(), [], 'of an older placement, but the same work: it runs on')
  t.equal(world.state('web.service'), 'active/running')
  t.match(world.last?.conditions.get('web.service' as UnitName), { containerId: id, restarts: 3 })
  t.equal(world.memory.get('web.service' as UnitName)?.generation, 9)
})

t.test('a container with another hash is replaced: stopped by its own rule first', async (t) => {
  const world = new World()
  world.place('web.service', { hash: 'hash-2' })
  const old = world.run('web.service', {})
  const [fetch] = world.look()
  t.match(fetch, { kind: 'fetch', hash: 'hash-2' }, 'not before its image is here')
  t.equal(world.state('web.service'), 'activating/pulling')
  world.carryOut(fetch as NonNullable<typeof fetch>)
  const [clear] = world.look()
  t.match(clear, {
    kind: 'clear',
    containers: [{ id: old, running: true, stop: { signal: 'SIGINT', graceMs: 1234 } }],
  })
  world.carryOut(clear as NonNullable<typeof clear>)
  t.same(summarize(world.settle()), ['start web.service'])
})

t.test(
  'a container with another hash runs on while the image of the new one does not come',
  async (t) => {
    const world = new World()
    world.place('web.service', { hash: 'hash-2', rules: { restartDelayMs: 1000 } })
    const old = world.run('web.service', {})
    t.match(world.look(), [{ kind: 'fetch' }])
    world.fetched('web.service', 'no such image')
    t.same(world.look(), [])
    t.match(world.message('web.service'), /older content.*no such image/)
    t.equal(world.last?.nextLookMs, world.nowMs + 1000)
    world.nowMs += 1000
    t.match(world.look(), [{ kind: 'fetch' }])
    world.fetched('web.service', 'no such image')
    t.same(world.look(), [])
    t.equal(world.last?.nextLookMs, world.nowMs + 2000, 'after longer and longer pauses')
    t.equal(world.idOf('web.service'), old)
    world.exit(old, 1)
    t.same(summarize(world.look()), ['start web.service'], 'with nothing left to keep, it is tried')
  },
)

t.test('an older placement than one already seen is refused', async (t) => {
  const world = new World()
  world.place('web.service', { generation: 5, hash: 'hash-1' })
  world.run('web.service', { generation: 8, hash: 'hash-2' })
  t.same(world.look(), [], 'neither stopped nor started')
  t.match(world.message('web.service'), /older placement/)
})

t.test('what is not placed here is stopped and forgotten', async (t) => {
  const world = new World()
  const id = world.run('gone.service', {})
  t.match(world.look(), [{ kind: 'clear', unit: 'gone.service', containers: [{ id }] }])
  t.equal(world.state('gone.service'), 'deactivating/stop')
  world.settle()
  t.equal(world.state('gone.service'), undefined)
  t.equal(world.memory.size, 0)
})

t.test('containers of another cluster, or of nobody, are left alone and told of', async (t) => {
  const world = new World()
  const id = world.run('web.service', {})
  const [container] = world.containers
  const labels = { ...container?.labels, 'jangada.cluster': 'f'.repeat(32) }
  world.containers = [
    { ...(container as NonNullable<typeof container>), labels },
    { ...(container as NonNullable<typeof container>), id: 'odd', labels: { a: 'b' } },
  ]
  t.same(world.look(), [])
  t.same(world.last?.foreign, [id, 'odd'])
})

t.test('while the engine is down all is unknown, and nothing is done or forgotten', async (t) => {
  const world = new World()
  world.place('web.service', { rules: { restart: 'always' } })
  world.settle()
  world.engineUp = false
  t.same(world.look(), [])
  t.equal(world.state('web.service'), 'unknown/unknown')
  world.engineUp = true
  t.same(world.settle(), [], 'it ran on')
  t.equal(world.state('web.service'), 'active/running')
})

t.test('loaded means not started; a stopped unit starts again when launched', async (t) => {
  const world = new World()
  world.place('web.service', { desired: 'loaded' })
  t.same(world.settle(), [])
  t.equal(world.state('web.service'), 'inactive/dead')
  world.place('web.service')
  t.same(summarize(world.settle()), ['start web.service'])
  world.place('web.service', { desired: 'loaded' })
  t.same(summarize(world.settle()), ['clear web.service'])
  world.place('web.service')
  t.same(summarize(world.settle()), ['start web.service'], 'its earlier end is no end of this run')
})

t.test('a unit that leaves is released when nothing of it is left, and not before', async (t) => {
  const world = new World()
  const isReleased = (): boolean =>
    world.last?.conditions.get('db.service' as UnitName)?.released === true
  world.place('db.service')
  world.settle()
  world.place('db.service', { desired: 'loaded', isLeaving: true })
  const [clear] = world.look()
  t.equal(clear?.kind, 'clear')
  t.notOk(isReleased())
  world.exit(world.idOf('db.service'), 0)
  world.work.set('db.service' as UnitName, { kind: 'clear' })
  world.look()
  t.notOk(isReleased(), 'its container is still being removed')
  world.engineUp = false
  world.work.clear()
  world.look()
  t.notOk(isReleased(), 'the engine does not say')
  world.engineUp = true
  world.settle()
  t.ok(isReleased())
  world.place('db.service', { desired: 'loaded' })
  world.look()
  t.notOk(isReleased(), 'one that is only to be loaded may run again')
})

t.test('a start that is no longer wanted is cancelled', async (t) => {
  const world = new World()
  const work = { kind: 'start', hash: 'hash-1', phase: 'pulling', message: '' } as const
  world.work.set('web.service' as UnitName, work)
  t.same(world.look(), [{ kind: 'cancel', unit: 'web.service' }], 'not placed here any more')
  world.place('web.service', { hash: 'hash-2' })
  t.same(world.look(), [{ kind: 'cancel', unit: 'web.service' }], 'another hash')
  world.place('web.service')
  t.same(world.look(), [])
})

t.test(
  'a unit whose file cannot be used is said to be so, and what runs of it runs on',
  async (t) => {
    const world = new World()
    world.placeWith('web.service', { kind: 'refused', load: 'error', message: 'line 3: no' })
    t.same(world.look(), [])
    t.match(world.last?.conditions.get('web.service' as UnitName), {
      load: 'error',
      active: 'inactive',
      message: 'line 3: no',
    })
    world.run('web.service', {})
    t.same(world.look(), [])
    t.equal(world.state('web.service'), 'active/running')
    world.placeWith('new.service', { kind: 'reading' })
    t.same(world.look(), [], 'nothing starts before its file is read')
  },
)

t.test('of two that run, the newest is kept', async (t) => {
  const world = new World()
  world.place('web.service', { generation: 9 })
  const old = world.run('web.service', { generation: 5 })
  const kept = world.run('web.service', { generation: 9 })
  t.match(world.look(), [{ kind: 'clear', containers: [{ id: old }] }])
  world.settle()
  t.same(
    world.containers.map(({ id }) => id),
    [kept],
  )
})

t.test('labels come back as they were written, and anything else is nobody’s', async (t) => {
  const owner = {
    clusterId: 'c'.repeat(32),
    unit: 'web@3.service' as UnitName,
    generation: 17 as Generation,
    hash: 'abc',
    bootId: 'boot',
    restarts: 2,
    stop: { signal: undefined, graceMs: undefined },
  }
  t.same(readLabels(writeLabels(owner)), owner)
  const written = writeLabels(owner)
  for (const name of Object.keys(written)) {
    if (name === 'jangada.kind' || name === 'jangada.boot') continue
    const { [name]: _removed, ...rest } = written
    t.equal(readLabels(rest), undefined, `without ${name}`)
  }
  t.equal(readLabels({ ...written, 'jangada.generation': '1e3' }), undefined)
  t.equal(containerName('web.service', owner.generation), 'jangada-web-17')
  t.equal(containerName('web@3.service', owner.generation), 'jangada-web_403-17')
  t.not(
    containerName('a_40b.service', owner.generation),
    containerName('a@b.service', owner.generation),
  )
})
