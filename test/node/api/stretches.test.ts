/** Who asks a node about a large cluster does not hold up its elections: what a look costs is had in stretches. */
import t from 'tap'
import { units } from '../../../src/core/records/keyspace.ts'
import type { UnitRecord } from '../../../src/core/records/schemas.ts'
import { ids, machine, makeNode, placement, unitFile } from './fixture.ts'
import { slowClock } from './slow-clock.ts'

const count = 1500

t.test('why, plan and rebalance leave the loop to others again and again', async (t) => {
  const clock = slowClock(1)
  const node = await makeNode({ clock })
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  const record = (name: string, more = ''): UnitRecord => ({
    ...{ v: 1, name, file: unitFile('busybox true', more), hash: 'h', desired: 'launched' },
    submittedMs: 0,
  })
  const nowhere = record('u-0.service', '[X-Fleet]\nMachineMetadata=disk=none')
  node.store.put(units.put(nowhere, nowhere.name))
  for (let at = 1; at < count; at += 1) {
    const name = `u-${at}.service`
    node.store.put(units.put(record(name), name), placement(name, ids.n1))
  }
  const restsOf = async (ask: () => Promise<unknown>): Promise<number> => {
    const before = clock.rests
    await ask()
    return clock.rests - before
  }
  await node.ask('GET', '/v1/units')
  const listing = await restsOf(() => node.ask('GET', '/v1/units'))
  const many = Array.from({ length: 300 }, (_, at) => ({
    name: `new-${at}.service`,
    file: unitFile('busybox true'),
  }))
  const plan = await restsOf(() => node.ask('POST', '/v1/plan', { units: many.slice(0, 1) }))
  const plans = await restsOf(() => node.ask('POST', '/v1/plan', { units: many }))
  t.ok(plans > plan + 50, `a plan of many files rests ${plans} times, of one ${plan}`)
  for (const [what, ask] of [
    ['why', () => node.ask('GET', '/v1/units/u-0.service/why')],
    ['rebalance', () => node.ask('GET', '/v1/rebalance?max=1')],
    ['plan', () => node.ask('POST', '/v1/plan', { units: [{ name: 'u-0.service' }] })],
  ] as const) {
    let answer: Awaited<ReturnType<typeof ask>> | undefined
    const rests = await restsOf(async () => {
      answer = await ask()
    })
    t.equal(answer?.status, 200, `${what}: ${answer?.text.slice(0, 200)}`)
    t.ok(rests >= listing + 10, `${what} rests ${rests} times, and its reading ${listing}`)
  }
})
