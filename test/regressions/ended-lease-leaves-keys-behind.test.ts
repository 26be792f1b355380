import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { maxOperationsPerTransaction } from '../../src/core/store/types.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 20_000
const many = maxOperationsPerTransaction + 100

/**
 * A revocation deletes so many keys at a time. After the first of them the leader took the lease
 * for gone: keys beyond that outlived it, for good when it ran out, or when whoever revoked it
 * went away between two steps.
 */
async function clusterWithLease() {
  const world = new World({ seed: 3, invariants: [stateMachineSafety] })
  if (!(await world.begin())) throw new Error('the cluster did not come up')
  const done = <T>(promise: Promise<T>): Promise<T> => world.time.runUntilSettled(promise, limitMs)
  const leader = world.leader!.member
  const id = await done(leader.leaseGrant(2000))
  const puts = Array.from({ length: many }, (_, n) => {
    return { kind: 'put', key: `leased/${n}`, value: utf8(''), lease: id } as const
  })
  for (const then of [puts.slice(0, 400), puts.slice(400)]) {
    await done(leader.transact({ compare: [], then, otherwise: [] }))
  }
  const left = async (): Promise<number> => {
    const range = { key: 'leased/', rangeEnd: 'leased0', keysOnly: true }
    return (await done(leader.range(range, 'linearizable'))).items.length
  }
  return { world, leader, id, done, left }
}

t.test('a lease that runs out takes all of its keys along', async (t) => {
  const { world, left } = await clusterWithLease()
  t.equal(await left(), many)
  await world.run(6000)
  t.equal(await left(), 0)
})

t.test('so does one whose revocation nobody goes on with', async (t) => {
  const { world, leader, id, done, left } = await clusterWithLease()
  await done(leader.member.propose({ kind: 'leaseRevoke', id, term: undefined }))
  await world.run(1000)
  t.equal(await left(), 0)
  t.equal(leader.member.store.size.leases, 0)
})

t.test('and who revokes it sees it through, whoever is faster', async (t) => {
  const { leader, id, done, left } = await clusterWithLease()
  await done(leader.leaseRevoke(id))
  t.equal(await left(), 0)
  await t.rejects(done(leader.leaseRevoke(id)), { code: 'JGD_LEASE_UNKNOWN' })
})
