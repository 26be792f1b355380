import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { revision } from '../../src/base/ids.ts'
import { RemoteStore } from '../../src/node/member/remote-store.ts'
import { peerPort } from '../sim/process.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 15_000

/**
 * A member that is cut off from the other members, but not from a client machine, kept that
 * machine's watch open and had no news for it: its agent was ready and saw no placement.
 */
t.test('a watch moves on from a member that hears no leader', async (t) => {
  let world: World
  let seed = 1
  do world = new World({ seed: (seed += 1), invariants: [stateMachineSafety] })
  while (world.machines.length < 4 || world.voters !== 3)
  t.equal(await world.begin(), true, 'the cluster is up')
  const leader = world.leader!
  const { voters } = leader.member.member.status().config
  const hosts = voters.map((id) => world.machineOf(id)!.host)
  const cutOff = hosts.find((host) => host !== leader.machine.host)!
  const client = world.machines.find(({ host }) => !hosts.includes(host))!
  const { core, clock, entropy } = client.process!
  const remote = new RemoteStore({
    door: () => core!.door,
    clock,
    entropy,
    peers: () => [cutOff, ...hosts].map((host) => ({ host, port: peerPort })),
  })
  const stop = new AbortController()
  const fromRevision = revision(leader.member.member.store.revision + 1)
  const watch = remote.watch({ key: 'news', fromRevision }, stop.signal)[Symbol.asyncIterator]()
  // Batches without events tell only how far the store has come.
  const first = (async () => {
    for (;;) {
      const { value } = await watch.next()
      if (value === undefined || value.events.length > 0) return value
    }
  })()
  await world.run(500)
  const others = hosts.filter((host) => host !== cutOff)
  world.network.partition([cutOff], others)
  const put = { kind: 'put', key: 'news', value: utf8('now') } as const
  const write = leader.member.transact({ compare: [], then: [put], otherwise: [] })
  await world.time.runUntilSettled(write, limitMs)
  const told = await world.time.runUntilSettled(first, limitMs)
  t.equal(told?.events.length, 1, 'told by another member')
  const read = remote.range({ key: 'news' }, 'linearizable')
  t.equal((await world.time.runUntilSettled(read, limitMs)).items.length, 1, 'and reads go there')
  stop.abort()
})
