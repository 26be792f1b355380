import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { clusterSettings, voting } from '../../src/core/records/keyspace.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 20_000

/**
 * A leader sends nothing to a member that the configuration no longer names, not even that. Such
 * a machine used to read its own copy for ever: it was ready, was given units, and saw none.
 */
t.test('machines whose members were removed see what happens after that', async (t) => {
  const world = new World({ seed: 3, invariants: [stateMachineSafety] })
  t.equal(await world.begin(), true, 'the cluster is up')
  const leader = world.leader!
  const voters = world.machines.filter(({ process }) =>
    leader.member.member.status().config.voters.includes(process!.core!.memberId),
  )
  const [away, here] = voters.filter((machine) => machine !== leader.machine)
  away!.losePower()
  const done = <T>(promise: Promise<T>): Promise<T> => world.time.runUntilSettled(promise, limitMs)
  const { items } = await leader.member.range({ key: clusterSettings.key('cluster') }, 'local')
  const settings = clusterSettings.read(items[0]!)!.value
  const fewer = clusterSettings.put({ ...settings, voters: 1 }, 'cluster')
  const notAgain = [away!, here!].map(({ id }) =>
    voting.put({ v: 1, machineId: id, wish: 'client', setMs: 0 }, id),
  )
  await done(leader.member.transact({ compare: [], then: [fewer, ...notAgain], otherwise: [] }))
  const config = () => world.leader?.member.member.status().config
  t.equal(await world.runUntil(() => config()?.voters.length === 1, limitMs), true, 'one votes')
  away!.gainPower()
  const put = { kind: 'put', key: 'after', value: utf8('removal') } as const
  await done(leader.member.transact({ compare: [], then: [put], otherwise: [] }))
  for (const machine of [here!, away!]) {
    let seen = false
    const look = async (): Promise<void> => {
      const store = machine.process?.core?.store
      const found = await store?.range({ key: 'after' }, 'local').catch(() => undefined)
      seen ||= found?.items.length === 1
      if (!seen) world.time.after(100, () => void look())
    }
    void look()
    t.equal(await world.runUntil(() => seen, limitMs), true, `${machine.name} sees the write`)
    t.equal(machine.process?.core?.memberId, 0, 'and is a member no more')
  }
  const isReady = () =>
    world.committed.machines.values.find(({ id }) => id === away!.id)?.status === 'ready'
  t.equal(await world.runUntil(isReady, limitMs), true, 'the one that was away is ready again')
})
