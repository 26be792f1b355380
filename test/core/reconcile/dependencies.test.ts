/** Order and need between units of one machine. */
import t from 'tap'
import { summarize, World } from './helpers.ts'

t.test('After orders starts where both are here, and means nothing where one is not', async (t) => {
  const world = new World()
  world.place('web.service', { rules: { after: ['db.service', 'elsewhere.service'] } })
  world.place('db.service')
  t.same(summarize(world.look()), ['start db.service'])
  t.equal(world.state('web.service'), 'activating/waiting')
  t.equal(world.message('web.service'), 'starts after db.service')
  t.same(summarize(world.settle()), ['start db.service', 'start web.service'])
})

t.test('After does not care how the other ended', async (t) => {
  const world = new World()
  world.place('setup.service')
  world.settle()
  world.exit(world.idOf('setup.service'), 1)
  world.place('web.service', { rules: { after: ['setup.service'] } })
  t.same(summarize(world.settle()), ['start web.service'])
})

for (const need of ['requires', 'bindsTo'] as const) {
  t.test(`${need} waits until the other is active on this machine`, async (t) => {
    const world = new World()
    world.place('web.service', { rules: { [need]: ['db.service'] } })
    t.same(world.settle(), [])
    t.match(world.message('web.service'), /needs db.service, which is not to run on this machine/)
    world.place('db.service')
    t.same(summarize(world.settle()), ['start db.service', 'start web.service'])
  })

  t.test(`${need} of a unit that failed waits for it`, async (t) => {
    const world = new World()
    world.place('db.service')
    world.settle()
    world.exit(world.idOf('db.service'), 1)
    world.place('web.service', { rules: { [need]: ['db.service'] } })
    t.same(world.settle(), [])
    t.equal(world.message('web.service'), 'waits for db.service')
  })

  t.test(`units in a ring of ${need} start together, also after both have ended`, async (t) => {
    const world = new World()
    const rules = (other: string) => ({ restart: 'always', [need]: [other] }) as const
    world.place('a.service', { rules: rules('b.service') })
    world.place('b.service', { rules: rules('a.service') })
    t.same(summarize(world.look()), ['start a.service', 'start b.service'])
    world.settle()
    world.exit(world.idOf('a.service'), 1)
    world.exit(world.idOf('b.service'), 1)
    world.look()
    world.nowMs += 100
    world.settle()
    t.equal(world.state('a.service'), 'active/running')
    t.equal(world.state('b.service'), 'active/running')
  })
}

t.test('only BindsTo stops a unit when the other ends', async (t) => {
  const world = new World()
  world.place('db.service')
  world.place('bound.service', { rules: { bindsTo: ['db.service'] } })
  world.place('needs.service', { rules: { requires: ['db.service'] } })
  world.settle()
  world.exit(world.idOf('db.service'), 0)
  t.same(summarize(world.settle()), ['clear bound.service'])
  t.equal(world.state('needs.service'), 'active/running')
  t.equal(world.state('bound.service'), 'activating/waiting')
})

t.test('a ring through After is no deadlock', async (t) => {
  const world = new World()
  world.place('a.service', { rules: { after: ['c.service'] } })
  world.place('b.service', { rules: { after: ['a.service'] } })
  world.place('c.service', { rules: { after: ['b.service'] } })
  t.equal(world.settle().length, 3)
})

t.test('an engine that is down breaks no bond', async (t) => {
  const world = new World()
  world.place('db.service')
  world.place('web.service', { rules: { bindsTo: ['db.service'] } })
  world.settle()
  world.engineUp = false
  t.same(world.look(), [])
  world.engineUp = true
  t.same(world.settle(), [])
})
