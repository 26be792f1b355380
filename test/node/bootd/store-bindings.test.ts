import t from 'tap'
import type { Test } from 'tap'
import { isJangadaError } from '../../../src/base/errors.ts'
import type { Mac } from '../../../src/core/netboot/hardware.ts'
import { formatIpv4 } from '../../../src/core/netboot/ipv4.ts'
import type { Ipv4 } from '../../../src/core/netboot/ipv4.ts'
import { defaultPool } from '../../../src/core/netboot/pool.ts'
import { admissions, bindingsByAddress } from '../../../src/core/records/keyspace.ts'
import { bindingsByMachine } from '../../../src/core/records/keyspace.ts'
import type { AdmissionRecord } from '../../../src/core/records/schemas.ts'
import type { BootLink } from '../../../src/node/bootd/bindings.ts'
import { restMs, StoreBindings, strangersRestMs } from '../../../src/node/bootd/store-bindings.ts'

import { systemClock } from '../../../src/platform/clock.ts'
import { ip, mac, uuid } from '../../core/netboot/clients.ts'
import { localStore } from './local-store.ts'
import type { LocalAccess, LocalStore } from './local-store.ts'

const makeLink = (address: string, prefixLength: number): BootLink => ({
  link: { name: 'eth0', mac: '52:54:00:00:00:10', address, prefixLength },
  pool: defaultPool({ address: ip(address), prefixLength }),
  router: undefined,
  nameServers: [],
  timeServers: [],
  leaseSeconds: 3600,
})
const link = makeLink('10.77.0.10', 24)
/** Hosts .1 to .6, so a pool of three. */
const smallLink = makeLink('10.78.0.1', 29)

const machine = (number: number): Mac => `52:54:00:00:00:${String(10 + number)}` as Mac

interface Node {
  readonly bindings: StoreBindings
  readonly later: (ms: number) => void
}

function node(t: Test, access: LocalAccess, reserved: readonly Ipv4[] = []): Node {
  const ending = new AbortController()
  let ahead = 0
  const clock = { ...systemClock(), wallMs: () => 1_700_000_000_000 + ahead }
  const ignore = (): void => {}
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log }
  const bindings = new StoreBindings({
    store: access,
    clock,
    log,
    reserved: () => reserved,
    signal: ending.signal,
  })
  t.teardown(async () => {
    ending.abort()
    await bindings.done
  })
  return {
    bindings,
    later: (ms) => {
      ahead += ms
    },
  }
}

/** Every pair of records in the store, `mac address`, after checking that they are pairs. */
function pairs(t: Test, { store }: LocalStore): string[] {
  const list = (kind: typeof bindingsByMachine | typeof bindingsByAddress): string[] => {
    const answer = store.range(kind.range)
    if (answer.kind !== 'range') throw new Error(answer.kind)
    return answer.result.items.map((item) => {
      const record = kind.read(item)?.value
      return `${record?.mac} ${record?.address}`
    })
  }
  const byMachine = list(bindingsByMachine)
  const byAddress = list(bindingsByAddress)
  for (const pair of byMachine) t.ok(byAddress.includes(pair), `${pair} has both its keys`)
  const addresses = byAddress.map((pair) => pair.split(' ')[1])
  t.equal(new Set(addresses).size, addresses.length, 'no address is bound twice')
  return byMachine
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}

t.test('a binding is two keys, and every node hears of it', async (t) => {
  const cluster = localStore()
  const [one, other] = [node(t, cluster.access), node(t, cluster.access)]
  await turns()
  const binding = await one.bindings.bind({ mac, uuid, link })
  t.same(one.bindings.lookup(mac), binding, 'the node that bound knows at once')
  t.same(pairs(t, cluster), [`${mac} ${formatIpv4(binding.address)}`])
  await turns()
  t.same(other.bindings.lookup(mac), binding)
  t.same(other.bindings.lookupAddress(binding.address), binding)
  t.same(await other.bindings.bind({ mac, uuid, link }), binding, 'and binds nothing anew')
  const late = node(t, cluster.access)
  await turns()
  t.same(late.bindings.lookup(mac), binding, 'a node that starts later lists it')
})

t.test(
  'nodes that race for one machine agree, and for one address they do not clash',
  async (t) => {
    const cluster = localStore()
    const nodes = [1, 2, 3].map(() => node(t, cluster.access))
    const macs = Array.from({ length: 40 }, (_, i) => machine(i))
    const all = await Promise.all(
      macs.flatMap((one) => nodes.map(({ bindings }) => bindings.bind({ mac: one, uuid, link }))),
    )
    for (const [at, one] of macs.entries()) {
      const answers = all.slice(at * 3, at * 3 + 3)
      t.equal(new Set(answers.map(({ address }) => address)).size, 1, one)
    }
    t.equal(pairs(t, cluster).length, 40)
  },
)

t.test('addresses that others hold are never given out', async (t) => {
  const cluster = localStore()
  const { bindings } = node(t, cluster.access, [ip('10.78.0.4'), ip('10.78.0.6')])
  await turns()
  t.equal(formatIpv4((await bindings.bind({ mac, uuid, link: smallLink })).address), '10.78.0.5')
})

t.test('strangers cannot fill the pool; an admitted machine still finds room', async (t) => {
  const cluster = localStore()
  const { bindings } = node(t, cluster.access)
  await turns()
  await bindings.bind({ mac: machine(1), uuid, link: smallLink })
  await t.rejects(bindings.bind({ mac: machine(2), uuid, link: smallLink }), {
    code: 'JGD_POOL_FULL',
    message: /nobody has admitted/,
  })
  await admit(cluster.access, [machine(3), machine(4), machine(5)])
  await turns()
  await bindings.bind({ mac: machine(3), uuid, link: smallLink })
  await bindings.bind({ mac: machine(4), uuid, link: smallLink })
  await t.rejects(bindings.bind({ mac: machine(5), uuid, link: smallLink }), {
    code: 'JGD_POOL_FULL',
    message: /no free address/,
  })
  t.equal(pairs(t, cluster).length, 3)
})

t.test('a stranger that declines what it is given gets no more than its share', async (t) => {
  const cluster = localStore()
  const { bindings, later } = node(t, cluster.access)
  await turns()
  const first = await bindings.bind({ mac, uuid, link: smallLink })
  await bindings.quarantine(mac, first.address)
  await t.rejects(bindings.bind({ mac, uuid, link: smallLink }), {
    code: 'JGD_POOL_FULL',
    message: /nobody has admitted/,
  })
  await admit(cluster.access, [machine(3), machine(4)])
  await turns()
  await bindings.bind({ mac: machine(3), uuid, link: smallLink })
  await bindings.bind({ mac: machine(4), uuid, link: smallLink })
  later(strangersRestMs)
  const again = await bindings.bind({ mac, uuid, link: smallLink })
  t.equal(again.address, first.address, 'a while later it is as if nothing had been said')
  pairs(t, cluster)
})

t.test('a declined address rests for thirty days, and its machine gets another', async (t) => {
  const cluster = localStore()
  const { bindings, later } = node(t, cluster.access)
  await admit(cluster.access, [mac])
  await turns()
  const first = await bindings.bind({ mac, uuid, link: smallLink })
  await bindings.quarantine(mac, ip('10.78.0.99'))
  t.same(bindings.lookup(mac), first, 'only its own address can be taken from it')
  await bindings.quarantine(mac, first.address)
  t.equal(bindings.lookup(mac), undefined)
  t.equal(bindings.lookupAddress(first.address), undefined)
  const second = await bindings.bind({ mac, uuid, link: smallLink })
  t.not(second.address, first.address)

  await bindings.quarantine(mac, second.address)
  const third = await bindings.bind({ mac, uuid, link: smallLink })
  await bindings.quarantine(mac, third.address)
  const full = await bindings.bind({ mac, uuid, link: smallLink }).catch((error: unknown) => error)
  t.ok(isJangadaError(full, 'JGD_POOL_FULL'), 'all three rest')
  later(restMs)
  t.equal((await bindings.bind({ mac, uuid, link: smallLink })).address, first.address)
  pairs(t, cluster)
})

t.test('a machine that was moved to another link is bound there, and frees the old', async (t) => {
  const cluster = localStore()
  const { bindings } = node(t, cluster.access)
  await turns()
  const before = await bindings.bind({ mac, uuid, link })
  const after = await bindings.bind({ mac, uuid, link: smallLink })
  t.match(formatIpv4(after.address), /^10\.78\.0\./)
  t.equal(bindings.lookup(mac)?.address, after.address)
  await turns()
  t.equal(bindings.lookupAddress(before.address), undefined)
  t.equal(pairs(t, cluster).length, 1)
})

t.test('what the store cannot commit is not answered', async (t) => {
  const cluster = localStore()
  const refused = async (): Promise<never> => {
    throw new Error('no quorum')
  }
  const { bindings } = node(t, { ...cluster.access, transact: refused })
  await t.rejects(bindings.bind({ mac, uuid, link }), /no quorum/)
  t.equal(bindings.lookup(mac), undefined)
})

/** One machine with all these network cards, let in by an operator. */
async function admit(access: LocalAccess, macs: readonly Mac[]): Promise<void> {
  const id = '0123456789abcdef0123456789abcdef'
  const record: AdmissionRecord = {
    v: 1,
    machineId: id,
    state: 'approved',
    keyHash: 'ab'.repeat(32),
    publicKey: '',
    name: 'm',
    macs: [...macs],
    uuid: '',
    address: '',
    by: 'nonce',
    tokenId: '',
    roleCeiling: 'client',
    sticky: true,
    askedMs: 0,
    decidedMs: 0,
  }
  await access.transact({ compare: [], then: [admissions.put(record, id)], otherwise: [] })
}
