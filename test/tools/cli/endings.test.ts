/** Commands that end units: what they wait for, and what they say where nobody can know. */
import t, { type Test } from 'tap'
import type { EventsAnswer } from '../../../src/node/api/answers.ts'
import type { CliEnvironment } from '../../../src/tools/cli/environment.ts'
import { leaving, placements, states } from '../../../src/core/records/keyspace.ts'
import { ids, machine, placement, state, unitFile } from '../../node/api/fixture.ts'
import { type Desk, makeDesk, runUnits } from './fixture.ts'

/** Time that passes as commands wait, and what happens meanwhile. */
function clockWith(happens: (nowMs: number) => void = () => undefined): Partial<CliEnvironment> {
  let nowMs = 0
  return {
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms
      happens(nowMs)
    },
  }
}

/** web.service was launched on n1, which is lost; nobody plans. */
async function deskWithLost(t: Test, rules = ''): Promise<Desk> {
  const desk = await makeDesk(t)
  const { node, files, say } = desk
  files.set('web.service', unitFile('busybox', rules))
  await say('start web.service --no-block')
  node.store.put(placement('web.service', ids.n1))
  node.store.put(state(node, 'web.service', ids.n1), machine(ids.n1, 'n1', { status: 'lost' }))
  return desk
}

const takeOff = ({ node }: Desk): void =>
  node.store.put(
    { kind: 'delete', key: placements.key(ids.n1, 'web.service') },
    { kind: 'delete', key: states.key(ids.n1, 'web.service') },
  )

const mayRunOn = 'Unit web.service: n1 is lost; what runs there may run on\n'

t.test('a stop on a lost machine waits for it, and then says that nothing is known', async (t) => {
  const desk = await deskWithLost(t)
  t.match(await desk.say('stop web', clockWith()), { code: 1, out: mayRunOn })
  const back = clockWith((nowMs) => {
    if (nowMs !== 5000) return
    desk.node.store.put(machine(ids.n1, 'n1'))
    const idle = { active: 'inactive', sub: 'dead' } as const
    desk.node.store.put(state(desk.node, 'web.service', ids.n1, idle))
  })
  t.match(await desk.say('stop web', back), { code: 0, out: /web\.service stopped on n1/ })
})

t.test('a stop waits for an engine that does not answer, and does not guess', async (t) => {
  const { node, files, say } = await makeDesk(t)
  files.set('web.service', unitFile())
  await say('start web.service --no-block')
  node.store.put(placement('web.service', ids.n1))
  const message = 'the container engine does not answer'
  node.store.put(state(node, 'web.service', ids.n1, { active: 'unknown', sub: 'unknown', message }))
  const late = await say('stop web --timeout 30', clockWith())
  t.match(late, {
    code: 1,
    out: '',
    err: /unknown .* engine does not answer\nnext: jangada units\n/,
  })
})

for (const verb of ['unload', 'destroy']) {
  t.test(`${verb} does not call gone what a lost machine may run on`, async (t) => {
    const desk = await deskWithLost(t)
    const ended = await desk.say(
      `${verb} web`,
      clockWith(() => takeOff(desk)),
    )
    t.match(ended, { code: 1, out: mayRunOn })

    const fenced = await deskWithLost(t, '[X-Fleet]\nFencing=stop\n')
    const dead = await fenced.say(
      `${verb} web`,
      clockWith(() => takeOff(fenced)),
    )
    t.equal(dead.code, 0, 'its fencer has stopped it')
  })

  t.test(`${verb} waits until the machine says that the unit is gone`, async (t) => {
    const desk = await makeDesk(t)
    desk.files.set('web.service', unitFile())
    await desk.say('start web.service --no-block')
    desk.node.store.put(placement('web.service', ids.n1))
    desk.node.store.put(state(desk.node, 'web.service', ids.n1))
    const key = leaving.key(ids.n1, 'web.service')
    const needs = { memoryBytes: 1, nanoCpus: 0, ports: [] }
    const left = { v: 1, unit: 'web.service', machine: ids.n1, needs, sinceMs: 1 } as const
    let goneAtMs = 0
    const clock = clockWith((nowMs) => {
      if (nowMs === 1000) takeOff(desk)
      if (nowMs === 1000) desk.node.store.put(leaving.put(left, ids.n1, 'web.service'))
      if (nowMs !== 60_000) return
      desk.node.store.put({ kind: 'delete', key })
      goneAtMs = nowMs
    })
    t.match(await desk.say(`${verb} web`, clock), { code: 0, out: /web\.service/ })
    t.equal(goneAtMs, 60_000)
  })
}

t.test(
  'a destroy has the options of a wait, and of what is not there it speaks as typed',
  async (t) => {
    const { node, files, say } = await makeDesk(t)
    for (const name of ['a', 'b', 'c']) {
      files.set(`${name}.service`, unitFile())
      await say(`start ${name}.service --no-block`)
      node.store.put(placement(`${name}.service`, ids.n1))
    }
    t.match(await say('destroy a --no-block', clockWith()), {
      code: 0,
      out: 'Destroyed a.service\n',
    })
    const few = await say('destroy b --block-attempts=3', clockWith())
    t.match(few, {
      code: 1,
      out: '',
      err: /still waiting for b\.service\n.*\nnext: jangada units\n$/,
    })
    t.match(await say('cat c --no-block'), { code: 2, err: /there is no option --no-block / })
    t.match(await say('cat c --no-such-thing'), { code: 2, err: /no option --no-such-thing / })
    t.match(await say('cat c --nosuch --other'), { code: 2, err: /no option --nosuch, --other / })
  },
)

t.test('restarts that wait for no start still wait for each stop, and answer once', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node)
  files.set('hello@.service', unitFile('busybox echo %i'))
  await say('submit hello@.service')
  await say('start hello@{1..2}')
  const restarted = await say('restart hello@1 hello@2 --json')
  t.match(JSON.parse(restarted.out), { units: [{ active: 'active' }, { active: 'active' }] })
  const unawaited = await say('restart hello@1 hello@2 --no-block')
  t.equal(
    unawaited.out,
    'Unit hello@1.service is to be launched\nUnit hello@2.service is to be launched\n',
  )
  const { events } = (await node.ask('GET', '/v1/events')).value as EventsAnswer
  t.same(
    events.slice(-4).map(({ kind, unit }) => `${kind} ${unit}`),
    [
      'unit.loaded hello@1.service',
      'unit.launched hello@1.service',
      'unit.loaded hello@2.service',
      'unit.launched hello@2.service',
    ],
  )
  t.match(await say('restart hello@.service'), { code: 1, err: /next: .*restart 'hello@\*/ })
  t.match((await say('restart --help')).out, /--no-block waits until it has stopped/)
})
