/** Leases that run out and a store that fills up, in a cluster of whole nodes in simulated time. */
import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { events, quotaAlarm, quotaLimit } from '../../src/core/records/keyspace.ts'
import type { Operation } from '../../src/core/store/types.ts'
import { tellStoreMetrics } from '../../src/node/member/store-metrics.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { noMetrics } from '../sim/quiet.ts'
import { World } from '../sim/world.ts'

const limitMs = 20_000

/** Three voters and somebody who is none. */
async function makeWorld() {
  let world: World
  let seed = 1
  do world = new World({ seed: (seed += 1), invariants: [stateMachineSafety] })
  while (world.machines.length < 4 || world.voters !== 3)
  if (!(await world.begin())) throw new Error('the cluster did not come up')
  const leader = world.leader!
  const { voters } = leader.member.member.status().config
  const hosts = voters.map((id) => world.machineOf(id)!.host)
  const done = <T>(promise: Promise<T>): Promise<T> => world.time.runUntilSettled(promise, limitMs)
  const follower = world.machines.find(
    ({ host }) => hosts.includes(host) && host !== leader.machine.host,
  )!
  const client = world.machines.find(({ host }) => !hosts.includes(host))!
  return { world, done, leader, follower, client }
}

const write = (...then: Operation[]) => ({ compare: [], then, otherwise: [] })
const put = (key: string, value: string, lease?: string): Operation => ({
  kind: 'put',
  key,
  value: utf8(value),
  ...(lease === undefined ? {} : { lease }),
})

t.test('a lease ends with its keys when nobody keeps it, whoever is asked', async (t) => {
  const { world, done, follower, client, leader } = await makeWorld()
  const ofClient = client.process!.core!.store
  const ofFollower = follower.process!.core!.store
  const kept = await done(ofClient.leaseGrant(3000))
  const left = await done(ofFollower.leaseGrant(3000))
  await done(ofFollower.transact(write(put('kept', '1', kept), put('left', '1', left))))
  const listed = await done(ofClient.leaseList(''))
  t.same(new Set(listed.leases.map(({ id }) => id)), new Set([kept, left]))
  t.same(
    listed.leases.map(({ keys, ttlMs }) => [keys, ttlMs]),
    [
      [1, 3000],
      [1, 3000],
    ],
  )
  for (let n = 0; n < 4; n += 1) {
    await world.run(1000)
    const by = n % 2 === 0 ? ofClient : ofFollower
    t.equal(await done(by.leaseKeepAlive(kept)), true)
  }
  const { items } = await done(ofClient.range({ key: 'a', rangeEnd: 'z' }, 'linearizable'))
  t.same(
    items.map(({ key }) => key),
    ['kept'],
  )
  t.equal(await done(ofFollower.leaseKeepAlive(left)), false)
  const late = await done(ofClient.transact(write(put('x', '', left))).catch((e: unknown) => e))
  t.match(late, { code: 'JGD_LEASE_UNKNOWN' })

  // A new leader was told of no keep-alive, so it gives every lease its full time.
  leader.machine.crash()
  const hasLeader = (): boolean =>
    world.leader !== undefined && world.leader.machine !== leader.machine
  t.ok(await world.runUntil(hasLeader, limitMs), 'another leads')
  await world.run(2000)
  const still = await done(ofClient.range({ key: 'kept' }, 'linearizable'))
  t.equal(still.items.length, 1, 'not ended early')
  await world.run(4000)
  const ended = await done(ofClient.range({ key: 'kept' }, 'linearizable'))
  t.equal(ended.items.length, 0, 'and not kept for ever')
})

const refusalOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

t.test('a full store refuses users, lets the system on, says so, and recovers', async (t) => {
  const { world, done, leader, follower, client } = await makeWorld()
  const stores = [leader, follower, client].map((one) =>
    'member' in one ? one.member : one.process!.core!.store,
  )
  const bytes = 1_048_576
  const [, ofFollower] = stores
  await done(ofFollower!.transact(write(quotaLimit.put({ v: 1, bytes, setMs: 1 }, 'limit'))))
  const alarm = { key: quotaAlarm.key('alarm') }
  const isRaised = (): boolean => leader.member.member.store.get(alarm.key) !== undefined
  const gauges = new Map<string, number>()
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  void tellStoreMetrics({
    store: () => leader.member,
    clock: leader.machine.process!.clock,
    metrics: { ...noMetrics, gauge: (name, is) => void gauges.set(name, is) },
    signal: stop.signal,
  })
  await world.run(3000)
  t.notOk(isRaised())
  t.equal(gauges.get('jangada_store_full'), 0)
  t.equal(gauges.get('jangada_store_quota_bytes'), bytes)

  const value = 'x'.repeat(100_000)
  let filled = 0
  let refusal: unknown
  while (refusal === undefined && filled < 20) {
    const one = ofFollower!.transact(write(put(`fill/${filled}`, value)))
    refusal = await done(refusalOf(one))
    if (refusal === undefined) filled += 1
  }
  t.match(refusal, { code: 'JGD_STORE_FULL', details: { quotaBytes: bytes } })
  t.ok(filled >= 7 && filled <= 9, `${filled} values of 100 kB fit into 896 kB`)
  for (const store of stores) {
    const again = store.transact(write(put('more', value))).catch((e: unknown) => e)
    t.match(await done(again), { code: 'JGD_STORE_FULL' }, 'whoever is asked')
  }
  const own = write(put('/jangada/units/x.service', 'x'.repeat(50_000)))
  t.equal((await done(ofFollower!.transact(own))).succeeded, true, 'the reserve is the system’s')
  t.ok(await world.runUntil(isRaised, limitMs), 'the alarm is raised')
  t.match((await done(client.process!.core!.store.view())).room, { quotaBytes: bytes })
  await world.run(15_000)
  t.ok(isRaised(), 'and stands while there is no room')
  t.equal(gauges.get('jangada_store_full'), 1)
  t.ok((gauges.get('jangada_store_used_bytes') ?? 0) > 700_000)

  const free = write({ kind: 'delete', key: 'fill/', rangeEnd: 'fill0' })
  t.equal((await done(ofFollower!.transact(free))).succeeded, true, 'deletes always go')
  t.ok(await world.runUntil(() => !isRaised(), limitMs), 'it clears itself')
  await world.run(1500)
  t.equal(gauges.get('jangada_store_full'), 0)
  t.equal((await done(ofFollower!.transact(write(put('more', value))))).succeeded, true)
  const told = await done(ofFollower!.range(events.range, 'linearizable'))
  const kinds = told.items.map((item) => events.read(item)?.value.kind)
  t.equal(kinds.filter((kind) => kind === 'store.full').length, 1)
  t.equal(kinds.filter((kind) => kind === 'store.has-room').length, 1)
})
