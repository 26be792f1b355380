/** How a machine shows that it lives, and says what it is. */
import t from 'tap'
import { present } from '../../../src/base/assert.ts'
import { machineId } from '../../../src/base/ids.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import { chooseTargets } from '../../../src/node/agent/pulse.ts'
import { runningState } from '../../support/unit-state.ts'
import { AgentWorld, own, sleeping } from './fixture.ts'

const ids = [1, 2, 3, 4, 5].map((digit) => machineId(String(digit).repeat(32)))
const targets = ids.map((machine) => ({ machine }))

t.test('two voters hear a pulse, one of them not on its own machine', async (t) => {
  const never = (): boolean => false
  for (const id of ids) {
    const chosen = chooseTargets(targets, id, never)
    t.equal(chosen.length, 2)
    t.equal(chosen[0]?.machine, id, 'its own voter')
    t.not(chosen[1]?.machine, id)
    t.same(chooseTargets(targets.toReversed(), id, never), chosen, 'whatever their order')
  }
  const twice = [...targets, { machine: ids[0]! }]
  t.same(chooseTargets(twice, ids[0]!, never), chooseTargets(targets, ids[0]!, never))
  const client = machineId('9'.repeat(32))
  const [first, second] = chooseTargets(targets, client, never)
  const rest = chooseTargets(targets, client, (id) => id === first?.machine)
  t.equal(rest[0]?.machine, second?.machine, 'one that does not answer is passed over')
  t.equal(chooseTargets(targets.slice(0, 2), client, () => true).length, 2, 'if there are others')
  t.same(chooseTargets([], client, never), [])
})

t.test('the first pulse waits for neither engine nor store', async (t) => {
  const world = new AgentWorld()
  world.engine.crash()
  world.store.isReachable = false
  world.agent.start()
  await world.time.runFor(1_000)
  t.equal(world.pulses[0]?.atMs, 0)
  t.match(world.pulses[0]?.pulse, { bootId: 'boot-1', memberId: 1, silentForMs: 0 })
  t.equal(world.pulses.length, 2 * 4 + 2, 'every 250 ms, to two')
})

t.test('a voter that does not answer is replaced by another', async (t) => {
  const world = new AgentWorld()
  const silent = new Set<string>()
  world.answer = (to) =>
    silent.has(to)
      ? Promise.reject(new JangadaError('JGD_UNREACHABLE', 'no answer'))
      : Promise.resolve({ term: 1, verdict: 'ok' })
  world.agent.start()
  await world.time.runFor(300)
  const usual = world.pulses.at(-1)?.to as string
  silent.add(usual)
  await world.time.runFor(600)
  const last = world.pulses.slice(-2).map(({ to }) => to)
  t.notOk(last.includes(usual as never))
  t.ok(last.includes(own))
})

t.test('states are told until they are acknowledged, and then no more', async (t) => {
  const world = new AgentWorld()
  world.answer = () => Promise.reject(new JangadaError('JGD_NOT_LEADER', 'nobody leads'))
  world.place('web.service', sleeping)
  world.agent.start()
  await world.untilWord('web.service', 'active/running')
  await world.time.runFor(1_000)
  const [report] = world.pulses.at(-1)?.pulse.reports ?? []
  t.match(report, { kind: 'state', state: { unit: 'web.service', active: 'active' } })
  let term = 1
  world.answer = () => Promise.resolve({ term, verdict: 'ok' })
  await world.time.runFor(600)
  t.same(world.pulses.at(-1)?.pulse.reports, [])

  term = 2
  const before = world.pulses.length
  await world.time.runFor(1_000)
  const told = world.pulses.slice(before).filter(({ pulse }) => pulse.reports.length > 0)
  t.ok(told.length > 0, 'a new leader is told all')
  t.same(world.pulses.at(-1)?.pulse.reports, [])

  const again = world.pulses.length
  await world.time.runFor(11_000)
  const repeated = world.pulses.slice(again).filter(({ pulse }) => pulse.reports.length > 0)
  t.ok(repeated.length > 0 && repeated.length <= 4, 'and all again every ten seconds')
})

t.test('whoever has said goodbye says nothing more', async (t) => {
  const world = new AgentWorld()
  world.agent.start()
  await world.time.runFor(1_000)
  // The voters take their time, and pulses would be due meanwhile.
  world.answer = () => new Promise(() => undefined)
  const stopped = world.agent.stop({ silentForMs: 15_000 })
  const before = world.pulses.length
  await world.time.runUntilSettled(stopped, 5_000)
  await world.time.runFor(2_000)
  const after = world.pulses.slice(before - 2).map(({ pulse }) => pulse.silentForMs)
  t.same(after, [15_000, 15_000], 'to two voters, and no pulse that takes it back')
})

t.test(
  'an agent that goes down with its machine says that it ends, and asks for no wait',
  async (t) => {
    const world = new AgentWorld()
    world.agent.start()
    await world.time.runFor(1_000)
    await world.time.runUntilSettled(world.agent.stop(), 5_000)
    t.match(world.pulses.at(-1)?.pulse, { silentForMs: 0, ends: true })
  },
)

t.test('goodbye is said to voters that have still to answer, too', async (t) => {
  const world = new AgentWorld()
  world.answer = () => new Promise(() => undefined)
  world.agent.start()
  await world.time.runFor(5_000)
  const before = world.pulses.length
  await world.time.runFor(2_000)
  t.equal(world.pulses.length, before, 'each has four pulses to answer, and gets no more')
  await world.time.runUntilSettled(world.agent.stop({ silentForMs: 15_000 }), 5_000)
  const farewells = world.pulses.slice(before)
  t.same(
    farewells.map(({ to, pulse }) => [to, pulse.silentForMs]),
    world.voters.filter((voter) => voter !== own).map((voter) => [voter, 15_000]),
  )
})

t.test('news does not wait for the next pulse', async (t) => {
  const world = new AgentWorld()
  world.agent.start()
  await world.time.runFor(1_000)
  world.place('web.service', sleeping)
  await world.untilWord('web.service', 'active/running')
  const sinceMs = world.time.nowMs
  await world.until('it is told', () =>
    world.pulses.some(({ pulse, atMs }) => atMs >= sinceMs && pulse.reports.length > 0),
  )
  t.ok(world.time.nowMs - sinceMs <= 21)
})

t.test('answers of a deposed leader count for nothing', async (t) => {
  const world = new AgentWorld()
  world.answer = () => Promise.resolve({ term: 5, verdict: 'ok' })
  world.agent.start()
  await world.time.runFor(1_000)
  const acknowledged = world.agent.acknowledgedMs
  t.ok(acknowledged !== undefined && acknowledged > 0)
  world.answer = () => Promise.resolve({ term: 4, verdict: 'ok' })
  await world.time.runFor(5_000)
  t.ok((world.agent.acknowledgedMs ?? Infinity) <= (acknowledged ?? 0) + 250)
})

t.test('a machine registers when it starts, and when the leader asks', async (t) => {
  const world = new AgentWorld()
  const machine = async () => {
    const { items } = await world.store.range({ key: keyspace.machines.key(own) }, 'local')
    return items[0] === undefined ? undefined : keyspace.machines.read(items[0])?.value
  }
  const ready = async (): Promise<number> =>
    (await world.events()).filter(({ kind }) => kind === 'machine.ready').length
  world.agent.start()
  await world.time.runFor(1_000)
  const record = present(await machine(), 'the record')
  t.match(record, {
    id: own,
    name: 'n1',
    status: 'ready',
    bootId: 'boot-1',
    cpus: 2,
    memoryBytes: 2 ** 31,
    liveRestore: true,
    roleCeiling: 'client',
    metadata: { disk: 'ssd' },
  })
  t.equal(await ready(), 1)
  world.store.put(keyspace.machines.put({ ...record, status: 'lost' }, own))
  world.answer = () => Promise.resolve({ term: 1, verdict: 'register' })
  await world.time.runFor(1_000)
  t.equal((await machine())?.status, 'ready')
  t.equal(await ready(), 2)
  await world.time.runFor(1_000)
  t.equal(await ready(), 2, 'asked again, it has nothing new to say')
  await world.restartAgent()
  await world.time.runFor(1_000)
  t.equal(await ready(), 2, 'nor has a new agent')
  world.bootId = 'boot-2'
  await world.restartAgent()
  await world.time.runFor(1_000)
  t.equal(await ready(), 3, 'but a restarted machine has')
})

t.test('an engine without live-restore is warned of, once', async (t) => {
  const world = new AgentWorld({ liveRestore: false })
  world.agent.start()
  await world.time.runFor(1_000)
  world.engine.crash()
  await world.time.runFor(1_000)
  world.engine.restart()
  await world.time.runFor(1_000)
  const warnings = (await world.events()).filter(({ severity }) => severity === 'warning')
  t.match(warnings, [{ code: 'JGD_ENGINE_NO_LIVE_RESTORE', machine: own }])
  t.equal(warnings.length, 1)
})

t.test('a planned silence is announced with the last pulse', async (t) => {
  const world = new AgentWorld()
  world.agent.start()
  await world.time.runFor(1_000)
  await world.time.runUntilSettled(world.agent.stop({ silentForMs: 90_000 }), 1_000)
  const { length } = world.pulses
  t.equal(world.pulses.at(-1)?.pulse.silentForMs, 60_000)
  await world.time.runFor(5_000)
  t.equal(world.pulses.length, length)
})

t.test('states that an earlier agent left in the store are reported gone', async (t) => {
  const world = new AgentWorld()
  const state = runningState('old.service', own)
  world.store.put(keyspace.states.put(state, own, 'old.service'))
  world.agent.start()
  await world.until('it is told', () =>
    world.pulses.some(({ pulse }) =>
      pulse.reports.some((report) => report.kind === 'gone' && report.unit === 'old.service'),
    ),
  )
  t.same(world.agent.unitStates(), [])
})
