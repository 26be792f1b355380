import t from 'tap'
import { machineId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { toHex, utf8 } from '../../src/base/bytes.ts'
import { ClusterCore } from '../../src/node/cluster-core.ts'
import { createCluster } from '../../src/node/enrol/init.ts'
import { createFirstMember } from '../../src/node/member/seat.ts'
import { members } from '../../src/core/records/keyspace.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { simulatedCrypto } from '../sim/crypto.ts'
import { SimulatedDisk } from '../sim/disk.ts'
import { seededEntropy } from '../sim/entropy.ts'
import { SimulatedNetwork } from '../sim/network.ts'
import { noMetrics, sinkLog } from '../sim/quiet.ts'
import { SimulatedStreams, SimulatedSwitchboard } from '../sim/streams.ts'

t.test(
  'one machine starts a cluster, leads it, writes and reads; and again after a restart',
  async (t) => {
    const random = new SeededRandom(7)
    const time = new SimulatedTime(random.fork())
    const network = new SimulatedNetwork(time, random.fork())
    const board = new SimulatedSwitchboard(network)
    const entropy = seededEntropy(random.fork())
    const crypto = simulatedCrypto(random.fork())
    const disk = new SimulatedDisk(random.fork(), { after: (ms, fire) => time.after(ms, fire) })
    const verbose = process.env['VERBOSE'] !== undefined
    const log = sinkLog((level, message, fields) => {
      if (verbose) console.error(time.nowMs.toFixed(1), level, message, JSON.stringify(fields))
    })
    const id = machineId('0'.repeat(31) + '1')
    const clock = new SimulatedClock(time, random.fork())
    const made = await time.runUntilSettled(
      createCluster(
        { crypto, clock, entropy },
        {
          machineId: id,
          facts: { name: 'n1', uuid: '', macs: [], address: '10.0.0.1' },
          settings: { voters: 3, admission: 'sticky', status: 'full', featureLevel: 1 },
        },
      ),
      1000,
    )
    const first = {
      v: 1,
      memberId: 1,
      machineId: id,
      address: '10.0.0.1:7382',
      incarnation: 'a',
      addedMs: 0,
    } as const
    await time.runUntilSettled(
      createFirstMember(disk.mount(), made.clusterId, toHex(entropy.bytes(16)), [
        ...made.operations,
        members.put(first, '1'),
      ]),
      1000,
    )
    const boot = async (): Promise<ClusterCore> => {
      const processClock = new SimulatedClock(time, random.fork())
      const core: ClusterCore = new ClusterCore({
        clusterId: made.clusterId,
        machineId: id,
        key: await crypto.importKey(made.files.privateKeyPem),
        listen: { host: '10.0.0.1', port: 7382 },
        peers: [],
        disk: disk.mount(),
        streams: new SimulatedStreams(board, {
          host: '10.0.0.1',
          clock: processClock,
          identity: made.files,
          isAllowed: (peer) => core.isAllowed(peer),
        }),
        clock: processClock,
        entropy,
        crypto,
        log,
        metrics: noMetrics,
        methods: [],
        onFatal: (reason) => t.fail(reason),
      })
      await core.start()
      return core
    }
    const core = await time.runUntilSettled(boot(), 5000)
    const write = await time.runUntilSettled(
      core.store.transact({
        compare: [],
        then: [{ kind: 'put', key: 'k', value: utf8('v') }],
        otherwise: [],
      }),
      5000,
    )
    t.equal(write.succeeded, true)
    const read = await time.runUntilSettled(core.store.range({ key: 'k' }, 'linearizable'), 5000)
    t.equal(read.items.length, 1)
    const view = await core.store.view()
    t.match(view, { role: 'leader', hasQuorum: true, memberId: 1 })
    await time.runUntilSettled(core.stop(), 5000)
    const again = await time.runUntilSettled(boot(), 5000)
    const reread = await time.runUntilSettled(again.store.range({ key: 'k' }, 'linearizable'), 5000)
    t.equal(reread.items[0]?.modRevision, read.items[0]?.modRevision)
    await time.runUntilSettled(again.stop(), 5000)
  },
)
