/** Ends, and what follows from them. */
import t from 'tap'
import type { UnitName } from '../../../src/base/ids.ts'
import { failed, restartDelayMs, restarts, signalOf } from '../../../src/core/reconcile/restart.ts'
import type { RestartPolicy, UnitEnd } from '../../../src/core/reconcile/types.ts'
import { summarize, World } from './helpers.ts'

const exited = (exitCode: number): UnitEnd => ({ kind: 'exited', containerId: 'x', exitCode })

t.test('the table of systemd.service(5)', async (t) => {
  const failedStart = (timedOut: boolean): UnitEnd => ({
    kind: 'start-failed',
    ofImage: false,
    timedOut,
    message: '',
  })
  const ends: readonly [string, UnitEnd, string][] = [
    ['exit code 0', exited(0), 'always on-success'],
    ['SIGTERM', exited(143), 'always on-success'],
    ['exit code 1', exited(1), 'always on-failure'],
    ['SIGKILL', exited(137), 'always on-failure on-abnormal on-abort'],
    ['SIGSEGV', exited(139), 'always on-failure on-abnormal on-abort'],
    ['removed', { kind: 'vanished', containerId: 'x' }, 'always on-failure on-abnormal on-abort'],
    ['a start that failed', failedStart(false), 'always on-failure'],
    ['a start that took too long', failedStart(true), 'always on-failure on-abnormal'],
  ]
  const policies: readonly RestartPolicy[] = [
    'no',
    'always',
    'on-success',
    'on-failure',
    'on-abnormal',
    'on-abort',
  ]
  for (const [what, end, expected] of ends) {
    t.same(
      policies.filter((policy) => restarts(end, policy)),
      expected.split(' '),
      what,
    )
  }
  t.equal(signalOf(255), undefined, 'an exit code of its own')
})

t.test('a leading - forgives what the container did, not that it never was one', async (t) => {
  t.notOk(failed(exited(3), true))
  t.ok(failed(exited(3), false))
  t.ok(failed({ kind: 'start-failed', ofImage: false, timedOut: false, message: '' }, true))
})

t.test('delays double, up to a minute, and never fall below a tenth of a second', async (t) => {
  const after = (restartDelay: number, ends: number): number =>
    restartDelayMs({ restartDelayMs: restartDelay }, ends)
  t.same(
    [1, 2, 3, 4].map((ends) => after(100, ends)),
    [100, 200, 400, 800],
  )
  t.equal(after(100, 1000), 60_000)
  t.equal(after(0, 1), 100)
  t.equal(after(300_000, 5), 300_000, 'a longer one is kept')
})

t.test(
  'a unit that fails again and again is tried ever more slowly, and never given up',
  async (t) => {
    const world = new World()
    world.place('web.service', { rules: { restart: 'on-failure' } })
    t.same(summarize(world.settle()), ['start web.service'])
    const pauses: number[] = []
    for (let end = 0; end < 12; end += 1) {
      world.exit(world.idOf('web.service'), 1)
      t.same(world.look(), [], 'not at once')
      t.equal(world.state('web.service'), 'activating/auto-restart')
      t.match(world.message('web.service'), /exit code 1/)
      const atMs = world.last?.nextLookMs ?? Infinity
      pauses.push(atMs - world.nowMs)
      world.nowMs = atMs - 1
      t.same(world.look(), [], 'not a millisecond early')
      world.nowMs = atMs
      // It dies before anybody has seen it run.
      t.same(summarize(world.look()), ['start web.service'])
      world.carryOut(world.last?.actions[0] as never)
    }
    t.same(pauses.slice(0, 5), [100, 200, 400, 800, 1600])
    t.equal(pauses.at(-1), 60_000)
    t.same(world.settle(), [])
    t.equal(world.last?.conditions.get('web.service' as UnitName)?.restarts, 12)
    world.nowMs += 10_000
    world.exit(world.idOf('web.service'), 1)
    world.look()
    t.equal((world.last?.nextLookMs ?? 0) - world.nowMs, 100, 'a steady run is forgiven')
  },
)

t.test('a row of failures is told, and a long run or a clean end begins a new one', async (t) => {
  const world = new World()
  world.place('web.service', { rules: { restart: 'always' } })
  const crashLoop = (): string | undefined =>
    world.last?.conditions.get('web.service' as UnitName)?.crashLoop
  const end = (exitCode: number, afterMs: number): void => {
    world.nowMs = Math.max(world.nowMs, world.last?.nextLookMs ?? 0)
    world.settle()
    world.nowMs += afterMs
    world.exit(world.idOf('web.service'), exitCode)
    world.look()
  }
  world.settle()
  for (let at = 0; at < 4; at += 1) end(1, 1000)
  t.equal(crashLoop(), undefined, 'four are not enough')
  end(1, 1000)
  t.equal(crashLoop(), 'run')
  end(0, 1000)
  t.equal(crashLoop(), undefined, 'a clean end')
  for (let at = 0; at < 4; at += 1) end(1, 1000)
  end(1, 60_000)
  t.equal(crashLoop(), undefined, 'a run of a minute')
  for (let at = 0; at < 4; at += 1) end(1, 1000)
  t.equal(crashLoop(), 'run')
})

t.test('the end is final where the policy says so, also for the next agent', async (t) => {
  const world = new World()
  world.place('job.service')
  world.place('bad.service')
  world.place('forgiven.service', { rules: { ignoreFailure: true } })
  world.settle()
  world.exit(world.idOf('job.service'), 0)
  world.exit(world.idOf('bad.service'), 3)
  world.exit(world.idOf('forgiven.service'), 3)
  for (const agent of ['the same agent', 'a new agent']) {
    t.same(world.settle(), [], agent)
    t.equal(world.state('job.service'), 'inactive/dead')
    t.equal(world.state('bad.service'), 'failed/failed')
    t.equal(world.message('bad.service'), 'exit code 3')
    t.equal(world.state('forgiven.service'), 'inactive/dead')
    world.restartAgent()
  }
  t.equal(world.containers.length, 3, 'kept, so that their output can be read')
})

t.test('after a power cut everything that is placed here starts again', async (t) => {
  const world = new World()
  world.place('web.service')
  world.settle()
  world.powerCycle()
  t.same(summarize(world.settle()), ['start web.service'], 'although its policy is no')
  t.equal(world.containers.length, 1)
})

t.test('a unit placed here again starts again, whatever became of it before', async (t) => {
  const world = new World()
  world.place('web.service', { generation: 5 })
  world.settle()
  world.exit(world.idOf('web.service'), 1)
  world.settle()
  world.place('web.service', { generation: 9 })
  t.same(summarize(world.settle()), ['start web.service'])
})

t.test('a start that failed counts as an end', async (t) => {
  const world = new World()
  world.place('once.service')
  world.place('again.service', { rules: { restart: 'always' } })
  world.look()
  world.failStart('once.service', 'JGD_IMAGE_MISSING: busybox is not on this machine')
  world.failStart('again.service', 'JGD_IMAGE_MISSING: busybox is not on this machine')
  t.same(world.look(), [])
  t.equal(world.state('once.service'), 'failed/failed')
  t.match(world.message('once.service'), /JGD_IMAGE_MISSING/)
  t.equal(world.state('again.service'), 'activating/auto-restart')
  t.match(world.message('again.service'), /JGD_IMAGE_MISSING/)
  world.nowMs += 100
  t.same(summarize(world.settle()), ['start again.service'])
})

t.test('a container that somebody removed is an end too', async (t) => {
  const world = new World()
  world.place('web.service', { rules: { restart: 'always' } })
  world.place('job.service')
  world.settle()
  world.remove(world.idOf('web.service'))
  world.remove(world.idOf('job.service'))
  t.same(world.look(), [])
  t.equal(world.state('job.service'), 'failed/failed')
  world.nowMs += 100
  t.same(summarize(world.settle()), ['start web.service'])
})

t.test('an end during our own stop is no end', async (t) => {
  const world = new World()
  world.place('db.service', { rules: { restart: 'always' } })
  world.place('web.service', { rules: { bindsTo: ['db.service'] } })
  world.settle()
  world.exit(world.idOf('db.service'), 1)
  t.same(summarize(world.look()), ['clear web.service'])
  // The engine stopped it and failed to remove it.
  world.exit(world.idOf('web.service'), 143)
  t.same(summarize(world.look()), [])
  t.equal(world.state('web.service'), 'activating/waiting')
  world.nowMs += 100
  t.same(summarize(world.settle()), ['start db.service', 'start web.service'])
  t.equal(world.containers.length, 2)
})
