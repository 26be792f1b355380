/** A unit that ran, or runs, is started anew: by `restart`, and by `start` where it is over. */
import t from 'tap'
import { JangadaError } from '../../../src/base/errors.ts'
import type { CliEnvironment } from '../../../src/tools/cli/environment.ts'
import { openHttpClient } from '../../../src/platform/http-client.ts'
import type { EventsAnswer } from '../../../src/node/api/answers.ts'
import { unitFile } from '../../node/api/fixture.ts'
import { makeDesk, runUnits } from './fixture.ts'

t.test('a unit that has run to its end is waited for no longer', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node, () => 'ends')
  files.set('once.service', unitFile())
  let nowMs = 0
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms
    },
  }
  const { code, out } = await say('start once.service', clock)
  t.same({ code, out }, { code: 0, out: 'Unit once.service ran on n1 (10.77.0.1) and has ended\n' })
  const status = await say('status')
  t.match(status.out, /units +0 of 1 running, 1 ended/)
  t.notMatch(status.out, /not as it should be/)
  t.match((await say('why once')).out, /placed +it is placed here: inactive \(dead\)/)
  t.ok(nowMs < 5000, 'its container says that it ran')
  const again = await say('start once.service', clock)
  t.match(again, { code: 0, err: 'once.service had ended: it is started again\n' })
  t.equal(again.out, out)
})

t.test(
  'one that has failed is started again by start, and by restart, and no older failure is told',
  async (t) => {
    let broken = 'web.service'
    const { node, files, say } = await makeDesk(t)
    runUnits(t, node, (name) => (name === broken ? 'fails' : 'runs'))
    files.set('web.service', unitFile())
    const failed = { code: 1, out: 'Unit web.service failed on n1 (10.77.0.1): exit code 1\n' }
    t.match(await say('start web.service'), failed)
    t.match(await say('start web'), {
      ...failed,
      err: 'web.service had ended: it is started again\n',
    })
    t.match(await say('restart web'), failed)
    broken = ''
    const runs = { code: 0, out: 'Unit web.service launched on n1 (10.77.0.1)\n' }
    t.match(await say('restart web'), runs)
    broken = 'web.service'
    t.match(await say('restart web'), failed)
    broken = ''
    t.match(await say('start web'), { ...runs, err: /started again/ })
    t.same(await say('start web'), { ...runs, err: '' }, 'one that runs goes on')
  },
)

t.test(
  'a restart takes one unit after the other, and stops at the first that does not run',
  async (t) => {
    let broken = ''
    const { node, files, say } = await makeDesk(t)
    runUnits(t, node, (name) => (name === broken ? 'fails' : 'runs'))
    files.set('hello@.service', unitFile('busybox echo %i'))
    files.set('everywhere.service', unitFile('busybox true', '[X-Fleet]\nGlobal=true\n'))
    await say('submit hello@.service everywhere.service')
    await say('start hello@{1..3}')
    const wanted = async (): Promise<string[]> => {
      const { events } = (await node.ask('GET', '/v1/events')).value as EventsAnswer
      return events.flatMap(({ kind, unit }) =>
        kind.startsWith('unit.l') ? `${kind} ${unit}` : [],
      )
    }
    const before = (await wanted()).length
    const restarted = await say(['restart', 'hello@[12]*'])
    t.match(restarted, { code: 0, err: '' })
    t.equal(
      restarted.out,
      'Unit hello@1.service launched on n1 (10.77.0.1)\nUnit hello@2.service launched on n1 (10.77.0.1)\n',
    )
    t.same((await wanted()).slice(before), [
      'unit.loaded hello@1.service',
      'unit.launched hello@1.service',
      'unit.loaded hello@2.service',
      'unit.launched hello@2.service',
    ])

    broken = 'hello@1.service'
    const halted = await say(['restart', 'hello@*'])
    t.match(halted, {
      code: 1,
      out: 'Unit hello@1.service failed on n1 (10.77.0.1): exit code 1\n',
    })
    t.equal((await wanted()).length, before + 6, 'the others were not touched')

    const stop = new AbortController()
    stop.abort()
    t.match(await say('restart hello@2', { signal: stop.signal }), { code: 130 })
    const interrupting = new AbortController()
    const sleep = async (): Promise<void> => interrupting.abort()
    const asked = say('restart hello@3', { signal: interrupting.signal, sleep })
    t.match(await asked, { err: /interrupted|^$/ })
    const { value } = await node.ask('GET', '/v1/units/hello@3.service')
    t.equal(value.desired, 'launched', 'Ctrl-C leaves nothing stopped that was running')

    t.match(await say('restart hello@.service'), { code: 1, err: /JGD_UNIT_IS_TEMPLATE/ })
    await say('start everywhere.service')
    t.match(await say('restart everywhere'), {
      code: 1,
      err: /global: it would stop on every machine/,
    })
    await say('stop hello@2')
    t.match(await say('restart hello@3 hello@2'), { code: 1, err: /nothing to restart.*\nnext: / })
    t.equal(
      (await wanted()).at(-1),
      'unit.loaded hello@2.service',
      'all are looked at before the first',
    )
  },
)

t.test('a restart whose first word gets no answer leaves the unit running', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node)
  files.set('web.service', unitFile())
  await say('start web.service')
  let failures = 0
  /** Both of the answers to what was written are lost, as when the leader dies. */
  const openNode: CliEnvironment['openNode'] = (target) => {
    const http = openHttpClient(target)
    return {
      request: async (request) => {
        const answer = await http.request(request)
        if (request.method !== 'POST' || failures === 2) return answer
        failures += 1
        throw new JangadaError('JGD_OUTCOME_UNKNOWN', 'the leader went away')
      },
    }
  }
  const restarted = await say('restart web', { openNode })
  t.match(restarted, { code: 1, err: /JGD_OUTCOME_UNKNOWN/ })
  t.equal((await node.ask('GET', '/v1/units/web.service')).value.desired, 'launched')

  const never: CliEnvironment['openNode'] = (target) => {
    const http = openHttpClient(target)
    return {
      request: (request) => {
        if (request.method !== 'POST') return http.request(request)
        throw new JangadaError('JGD_UNREACHABLE', 'nobody answers')
      },
    }
  }
  const lost = await say('restart web', { openNode: never })
  t.match(lost, {
    code: 1,
    err: /web\.service is stopped: nobody answers.*\nnext: .*jangada start web/,
  })
})
