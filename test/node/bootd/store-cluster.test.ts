import t from 'tap'
import { formatIpv4 } from '../../../src/core/netboot/ipv4.ts'
import { machines } from '../../../src/core/records/keyspace.ts'
import type { MachineRecord } from '../../../src/core/records/schemas.ts'
import { storeCluster } from '../../../src/node/bootd/store-cluster.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { mac, uuid } from '../../core/netboot/clients.ts'
import { localStore } from './local-store.ts'

const machine = (
  digit: string,
  status: MachineRecord['status'],
  durable: boolean,
): MachineRecord => ({
  v: 1,
  id: digit.repeat(32),
  name: `m${digit}`,
  address: `10.77.0.${digit}`,
  keyHash: digit.repeat(64),
  metadata: {},
  status,
  statusSinceMs: 0,
  bootId: '',
  cpus: 1,
  memoryBytes: 1,
  roleCeiling: 'voter',
  durable,
  version: '1',
  liveRestore: true,
})

t.test(
  'a machine is told of this node first, then of those that are surest to be there',
  async (t) => {
    const { access } = localStore()
    const ending = new AbortController()
    t.teardown(() => ending.abort())
    const ignore = (): void => {}
    const log: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log }
    const cluster = storeCluster({
      store: access,
      clock: systemClock(),
      log,
      signal: ending.signal,
      ownAddress: '10.77.0.2',
      enrolPort: 7381,
      authorityPin: 'ab'.repeat(32),
      nonceKey: () => undefined,
    })
    t.same(cluster.joinAddresses(), ['10.77.0.2:7381'], 'before anything is known')
    const all = [
      machine('1', 'ready', false),
      machine('2', 'ready', true),
      machine('3', 'lost', true),
      { ...machine('4', 'ready', true), bootAddresses: ['10.99.0.1', '10.98.0.1'] },
    ]
    const then = all.map((one) => machines.put(one, one.id))
    await access.transact({ compare: [], then, otherwise: [] })
    while (cluster.bootServers().length < 6) await new Promise((resolve) => setImmediate(resolve))
    t.same(cluster.joinAddresses(), ['10.77.0.2:7381', '10.77.0.4:7381', '10.77.0.1:7381'])
    const servers = cluster.bootServers().map(formatIpv4)
    t.ok(servers.includes('10.77.0.3'), 'a lost machine that still answers is no foreign server')
    t.ok(servers.includes('10.98.0.1'), 'nor one that answers on a link of its own for booting')
    t.equal(cluster.profileFor({ mac, uuid }).name, 'default')
  },
)
