import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { formatUuid, parseMac, parseUuid } from '../../../src/core/netboot/hardware.ts'
import { sameMachineUuid, uuidFromOption97 } from '../../../src/core/netboot/hardware.ts'
import type { Mac, Uuid } from '../../../src/core/netboot/hardware.ts'
import { broadcastAddress, formatIpv4, isHostIn } from '../../../src/core/netboot/ipv4.ts'
import { networkAddress, parseIpv4 } from '../../../src/core/netboot/ipv4.ts'
import { renderBootScript, renderWaitScript } from '../../../src/core/netboot/ipxe/script.ts'
import { makeNonce, readNonce, verifyNonce } from '../../../src/core/netboot/nonce.ts'
import { nonceLifetimeSeconds } from '../../../src/core/netboot/nonce.ts'
import { chooseAddress, defaultPool, makePool } from '../../../src/core/netboot/pool.ts'
import { poolSize } from '../../../src/core/netboot/pool.ts'
import { defaultProfile, isAssetName } from '../../../src/core/netboot/profiles/profile.ts'
import { isKernelArgument, selectProfile } from '../../../src/core/netboot/profiles/profile.ts'
import type { Profile } from '../../../src/core/netboot/profiles/profile.ts'
import { ip, mac, uuid } from './clients.ts'

t.test('addresses', (t) => {
  t.equal(formatIpv4(ip('255.255.255.255')), '255.255.255.255')
  t.equal(parseIpv4('::ffff:10.0.0.1'), ip('10.0.0.1'), 'as dual-stack sockets name it')
  for (const bad of ['', '10.0.0', '10.0.0.256', '10.0.0.01', '10.0.0.1.2', 'a.b.c.d', '::1']) {
    t.equal(parseIpv4(bad), undefined)
  }
  const subnet = { address: ip('192.168.7.200'), prefixLength: 25 }
  t.equal(formatIpv4(networkAddress(subnet)), '192.168.7.128')
  t.equal(formatIpv4(broadcastAddress(subnet)), '192.168.7.255')
  t.notOk(isHostIn(subnet, ip('192.168.7.128')))
  t.notOk(isHostIn(subnet, ip('192.168.7.255')))
  t.ok(isHostIn(subnet, ip('192.168.7.129')))
  t.end()
})

t.test('machines', (t) => {
  t.equal(parseMac('52-54-00-AB-cd-EF'), '52:54:00:ab:cd:ef')
  for (const bad of ['52:54:00:12:34', '00:00:00:00:00:00', '01:00:5e:00:00:01', 'x']) {
    t.equal(parseMac(bad), undefined)
  }
  t.equal(parseUuid('C0FFEE00-1122-3344-5566-778899AABBCC'), uuid)
  t.equal(formatUuid(uuid), 'c0ffee00-1122-3344-5566-778899aabbcc')
  t.equal(parseUuid('0'.repeat(32)), undefined, 'firmware that was never given one')
  t.equal(parseUuid('f'.repeat(32)), undefined)
  t.equal(uuidFromOption97(new Uint8Array(17).fill(5)), undefined)
  const swapped = '00eeffc0221144335566778899aabbcc'
  t.ok(sameMachineUuid(uuid, swapped as Uuid), 'SMBIOS bytes as they stand')
  t.notOk(sameMachineUuid(uuid, `${uuid.slice(0, 31)}d` as Uuid))
  t.end()
})

t.test('a pool', (t) => {
  const subnet = { address: ip('10.77.0.10'), prefixLength: 24 }
  const pool = defaultPool(subnet)
  t.equal(`${formatIpv4(pool.first)}-${formatIpv4(pool.last)}`, '10.77.0.128-10.77.0.254')
  t.equal(makePool(subnet, ip('10.77.0.20'), ip('10.77.0.10')), undefined)
  t.equal(makePool(subnet, ip('10.77.0.20'), ip('10.77.0.255')), undefined, 'broadcast')
  t.equal(makePool(subnet, ip('10.77.0.20'), ip('10.77.1.30')), undefined, 'another subnet')

  const taken = new Set<number>()
  const first = chooseAddress(pool, mac, (address) => taken.has(address))
  for (let i = 0; i < poolSize(pool); i += 1) {
    const machine = `52:54:00:00:00:${i.toString(16).padStart(2, '0')}` as Mac
    const address = chooseAddress(pool, machine, (one) => taken.has(one))
    if (address === undefined || taken.has(address)) t.fail('an address was given twice')
    else taken.add(address)
  }
  t.equal(taken.size, poolSize(pool), 'every address is found')
  t.equal(
    chooseAddress(pool, mac, (one) => taken.has(one)),
    undefined,
    'and then none',
  )
  t.equal(
    chooseAddress(pool, mac, () => false),
    first,
    'the same machine, the same address',
  )
  t.end()
})

const crypto = {
  hmacSha256: (key: Uint8Array, bytes: Uint8Array): Uint8Array =>
    createHmac('sha256', key).update(bytes).digest(),
  constantTimeEqual: (a: Uint8Array, b: Uint8Array): boolean =>
    a.length === b.length && timingSafeEqual(a, b),
}

t.test('a nonce is good for one machine, until its date, under our key', (t) => {
  const key = new Uint8Array(32).fill(1)
  const machine = { mac, uuid, address: ip('10.77.0.150') }
  const nonce = makeNonce(crypto, key, machine, 1000)
  const verify = (text: string, keys = [key]) => {
    const verdict = verifyNonce(crypto, keys, text)
    return verdict.kind === 'genuine' ? verdict.claims : verdict.reason
  }
  t.same(verify(nonce), { ...machine, expirySeconds: 1000 + nonceLifetimeSeconds })
  t.equal(verify(nonce, [new Uint8Array(32)]), 'forged')
  t.type(verify(nonce, [new Uint8Array(32), key]), 'object', 'the key before the last rotation')
  const other = nonce.replace('525400123456', '525400123457')
  t.equal(verify(other), 'forged', 'another MAC')
  t.equal(verify(nonce.replace('.1600.', '.9600.')), 'forged', 'another date')
  t.equal(verify(nonce.replace('0a4d0096', '0a4d0097')), 'forged', 'another address')
  for (const bad of ['', 'N1', nonce.slice(1), `${nonce}0`, nonce.toUpperCase(), `${nonce}\n`]) {
    t.equal(verify(bad), 'malformed')
  }
  const unnamed = makeNonce(crypto, key, { ...machine, uuid: undefined }, 1000)
  t.equal(readNonce(unnamed)?.uuid, undefined)
  t.match(nonce, /^[0-9A-Za-z.]+$/, 'fits a kernel command line')
  t.end()
})

t.test('the most specific profile wins, in whatever order they are stored', (t) => {
  const make = (name: string, match: Partial<Profile['match']>): Profile => ({
    ...defaultProfile,
    name,
    match: { macs: [], uuids: [], labels: {}, ...match },
  })
  const profiles = [
    make('b-all', {}),
    make('a-all', {}),
    make('rack-7', { labels: { rack: '7' } }),
    make('rack-7-gpu', { labels: { rack: '7', gpu: 'yes' } }),
    make('one-card', { macs: [mac] }),
    make('one-machine', { uuids: [uuid] }),
  ]
  const machine = { mac, uuid, labels: { rack: '7', gpu: 'yes' } }
  const pick = (list: readonly Profile[], one: typeof machine | object): string =>
    selectProfile(list, { ...machine, ...one }).name
  for (const list of [profiles, profiles.toReversed()]) {
    t.equal(pick(list, {}), 'one-machine')
    t.equal(pick(list, { uuid: undefined }), 'one-card')
    const other = { uuid: undefined, mac: '52:54:00:00:00:01' }
    t.equal(pick(list, other), 'rack-7-gpu')
    t.equal(pick(list, { ...other, labels: { rack: '7' } }), 'rack-7')
    t.equal(pick(list, { ...other, labels: {} }), 'a-all')
  }
  t.equal(pick([], {}), 'default')
  t.end()
})

t.test('what goes into a script is one word', (t) => {
  for (const good of ['quiet', 'ip=dhcp', 'console=tty0', 'a=b,c:d/e@f']) {
    t.ok(isKernelArgument(good), good)
  }
  for (const bad of ['', 'a b', 'a\nb', '${net0/mac}', '||', 'a|b', '#x', 'jangada.pin=0', '-x']) {
    t.notOk(isKernelArgument(bad), bad)
  }
  t.ok(isAssetName('root.squashfs'))
  for (const bad of ['', '.', '..', '../x', 'a/b', 'a\\b', '%2e', 'x'.repeat(65)]) {
    t.notOk(isAssetName(bad), bad)
  }
  t.end()
})

const templates = path.join(import.meta.dirname, '..', '..', '..', 'ipxe')

t.test('the boot script', (t) => {
  const digest = (digit: string): string => digit.repeat(64)
  const script = renderBootScript(readFileSync(path.join(templates, 'boot.ipxe'), 'utf8'), {
    mac,
    uuid,
    profile: { ...defaultProfile, kernelArguments: ['intel_iommu=on'] },
    image: {
      kernel: { name: 'vmlinuz', sha256: digest('1') },
      initramfs: { name: 'initrd.img', sha256: digest('2') },
      root: { name: 'root.squashfs', sha256: digest('3') },
      binary: { name: 'jangada', sha256: digest('4') },
      bootArguments: 'quiet panic=10',
    },
    server: '10.77.0.10:7380',
    joinAddresses: ['10.77.0.10:7382', '10.77.0.11:7382'],
    authorityPin: digest('5'),
    nonce: 'N1.x',
    nowSeconds: 1_700_000_000.9,
  })
  t.ok(script.startsWith('#!ipxe\n'))
  const base = 'http://10.77.0.10:7380/boot'
  const kernel = script.split('\n').find((line) => line.startsWith('kernel '))
  t.same(kernel?.split(' '), [
    'kernel',
    `${base}/${digest('1')}/vmlinuz`,
    'initrd=initrd.img',
    'quiet',
    'panic=10',
    'intel_iommu=on',
    'console=ttyS0',
    `jangada.root=${base}/${digest('3')}/root.squashfs`,
    `jangada.sha256=${digest('3')}`,
    `jangada.binary=${base}/${digest('4')}/jangada`,
    `jangada.binary_sha256=${digest('4')}`,
    'jangada.join=10.77.0.10:7382,10.77.0.11:7382',
    `jangada.pin=${digest('5')}`,
    'jangada.nonce=N1.x',
    'jangada.time=1700000000',
    'BOOTIF=01-52-54-00-12-34-56',
    '||',
    'goto',
    'failed',
  ])
  t.match(script, `initrd --name initrd.img ${base}/${digest('2')}/initrd.img || goto failed`)
  t.match(script, `chain --replace ${base}/script.ipxe?mac=${mac}&uuid=${formatUuid(uuid)}`)
  t.notMatch(script, '{{')
  t.end()
})

t.test('the script of a machine that has to wait says why, and asks again', (t) => {
  const wait = { mac, uuid: undefined, server: '10.77.0.10:7380', reason: 'no image yet' }
  const script = renderWaitScript(readFileSync(path.join(templates, 'wait.ipxe'), 'utf8'), wait)
  t.match(script, 'echo Jangada: no image yet\n')
  t.match(script, `chain --replace http://10.77.0.10:7380/boot/script.ipxe?mac=${mac}\n`)
  t.throws(() => renderWaitScript('{{reason}}', { ...wait, reason: 'a\nchain evil' }))
  t.throws(() => renderWaitScript('{{typo}}', wait))
  t.end()
})
