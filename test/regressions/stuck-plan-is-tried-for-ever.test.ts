import t from 'tap'
import { JangadaError } from '../../src/base/errors.ts'
import { machines, placements, units } from '../../src/core/records/keyspace.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { soonMs, told, write } from '../sim/membership.ts'
import { World } from '../sim/world.ts'

const file = '[Service]\nExecStart=/usr/bin/docker run --pull never --init busybox:jangada\n'
const unit = {
  v: 1,
  name: 'app.service',
  file,
  hash: '0'.repeat(40),
  desired: 'loaded',
  submittedMs: 0,
} as const

/**
 * A plan that the store refused was tried again ten times a second, and said to nobody but the log;
 * and once it was tried every ten seconds, each change in between began another row of tries.
 */
t.test('a plan that cannot be carried out is told once, and tried seldom', async (t) => {
  const shape = { machines: 3, voters: 3, memberSizes: {} } as const
  const world = new World({ seed: 1, shape, invariants: [stateMachineSafety] })
  t.ok(await world.begin(), 'the cluster is up')
  await world.run(1000)
  const store = world.leader!.member
  const transact = store.transact.bind(store)
  let tries = 0
  store.transact = (transaction) => {
    const isPlan = transaction.then.some(
      (each) => each.kind === 'put' && each.key.startsWith(placements.prefix),
    )
    if (!isPlan) return transact(transaction)
    tries += 1
    return Promise.reject(new JangadaError('JGD_BAD_REQUEST', 'there is a mistake in it'))
  }
  await write(world, units.put(unit, unit.name))
  await world.run(1000)
  for (let change = 0; change < 40; change += 1) {
    const [machine] = world.committed.machines.values
    await write(world, machines.put({ ...machine!, metadata: { n: `${change}` } }, machine!.id))
  }
  await world.run(1000)
  const events = await told(world, 'placement.stuck')
  t.equal(events.length, 1)
  t.match(events[0], /neither placed nor moved.*there is a mistake in it/)
  tries = 0
  await world.run(60_000)
  t.ok(tries >= 5 && tries <= 7, `${tries} tries in a minute`)

  store.transact = transact
  const isPlaced = (): boolean => world.committed.placements.values.length === 1
  t.ok(await world.runUntil(isPlaced, soonMs), 'it goes on by itself')
})
