import t from 'tap'
import { toHex, utf8 } from '../../src/base/bytes.ts'
import { machineId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { members } from '../../src/core/records/keyspace.ts'
import { maxOperationsPerTransaction, maxValueBytes } from '../../src/core/store/types.ts'
import { ClusterCore } from '../../src/node/cluster-core.ts'
import { createCluster } from '../../src/node/enrol/init.ts'
import { createFirstMember } from '../../src/node/member/seat.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { simulatedCrypto } from '../sim/crypto.ts'
import { SimulatedDisk } from '../sim/disk.ts'
import { seededEntropy } from '../sim/entropy.ts'
import { SimulatedNetwork } from '../sim/network.ts'
import { noMetrics, sinkLog } from '../sim/quiet.ts'
import { SimulatedStreams, SimulatedSwitchboard } from '../sim/streams.ts'

const id = machineId('0'.repeat(31) + '1')
const host = '10.0.0.1'
const listen = { host, port: 7382 }
const settings = { voters: 3, admission: 'sticky', status: 'full', featureLevel: 1 } as const

/** One machine with a fresh cluster on its disk, and the way to start its process. */
async function oneMachine(onFatal: (reason: string) => void) {
  const random = new SeededRandom(7)
  const time = new SimulatedTime(random.fork())
  const board = new SimulatedSwitchboard(new SimulatedNetwork(time, random.fork()))
  const entropy = seededEntropy(random.fork())
  const crypto = simulatedCrypto(random.fork())
  const disk = new SimulatedDisk(random.fork(), { after: (ms, fire) => time.after(ms, fire) })
  const newClock = (): SimulatedClock => new SimulatedClock(time, random.fork())
  const facts = { name: 'n1', uuid: '', macs: [], address: host }
  const deps = { crypto, clock: newClock(), entropy }
  const making = createCluster(deps, { machineId: id, facts, settings })
  const made = await time.runUntilSettled(making, 1000)
  const incarnation = toHex(entropy.bytes(16))
  const first = { v: 1, memberId: 1, machineId: id, address: `${host}:7382`, incarnation } as const
  const operations = [...made.operations, members.put({ ...first, addedMs: 0 }, '1')]
  const log = createFirstMember(disk.mount(), made.clusterId, incarnation, operations)
  await time.runUntilSettled(log, 1000)
  const boot = async (): Promise<ClusterCore> => {
    const clock = newClock()
    const isAllowed: ClusterCore['isAllowed'] = (peer) => core.isAllowed(peer)
    const core: ClusterCore = new ClusterCore({
      clusterId: made.clusterId,
      machineId: id,
      key: await crypto.importKey(made.files.privateKeyPem),
      listen,
      peers: [],
      disk: disk.mount(),
      streams: new SimulatedStreams(board, { host, clock, identity: made.files, isAllowed }),
      clock,
      entropy,
      crypto,
      log: sinkLog(() => undefined),
      metrics: noMetrics,
      methods: [],
      onFatal,
    })
    await core.start()
    return core
  }
  return { time, boot }
}

t.test('one machine leads its cluster, writes and reads; and again after a restart', async (t) => {
  const { time, boot } = await oneMachine((reason) => t.fail(reason))
  const done = <T>(promise: Promise<T>): Promise<T> => time.runUntilSettled(promise, 5000)
  const core = await done(boot())
  const then = [{ kind: 'put', key: 'k', value: utf8('v') }] as const
  const write = await done(core.store.transact({ compare: [], then, otherwise: [] }))
  t.equal(write.succeeded, true)
  const read = await done(core.store.range({ key: 'k' }, 'linearizable'))
  t.equal(read.items.length, 1)
  t.match(await core.store.view(), { role: 'leader', hasQuorum: true, memberId: 1 })
  await done(core.stop())
  const again = await done(boot())
  const reread = await done(again.store.range({ key: 'k' }, 'linearizable'))
  t.equal(reread.items[0]?.modRevision, read.items[0]?.modRevision)
  await done(again.stop())
})

t.test('what no member could apply never enters the log, whoever proposes it', async (t) => {
  const { time, boot } = await oneMachine((reason) => t.fail(reason))
  const done = <T>(promise: Promise<T>): Promise<T> => time.runUntilSettled(promise, 5000)
  const core = await done(boot())
  await done(core.store.range({ key: 'k' }, 'linearizable'))
  const term = core.member!.member.leadership.term
  const put = (key: string, bytes: number) =>
    ({ kind: 'put', key, value: new Uint8Array(bytes) }) as const
  const compare = {
    target: 'value',
    key: 'k',
    is: '=',
    to: new Uint8Array(maxValueBytes + 1),
  } as const
  const many = Array.from({ length: maxOperationsPerTransaction + 1 }, (_, at) => put(`k${at}`, 1))
  for (const guarded of [{}, { term }]) {
    const refused = (transaction: object): Promise<unknown> =>
      done(
        t.rejects(
          core.store.transact({ compare: [], then: [], otherwise: [], ...guarded, ...transaction }),
          { code: 'JGD_BAD_REQUEST' },
        ),
      )
    await refused({ then: [put('k', maxValueBytes + 1)] })
    await refused({ compare: [compare] })
    await refused({ then: many })
    await refused({ then: [put('k', maxValueBytes), put('l', maxValueBytes)] })
  }
  const then = [put('k', maxValueBytes)]
  t.match(await done(core.store.transact({ compare: [], then, otherwise: [] })), {
    succeeded: true,
  })
  await done(core.stop())
})
