/** Clients that others wrote, over a real link: busybox's udhcpc, tftp and wget. */
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { cannotMakeNamespaces, makeCable, serverAddress } from './namespaces.ts'
import type { Cable } from './namespaces.ts'

const skip = cannotMakeNamespaces

/** Takes the lease as a system would, and says what it got. */
const leaseScript = `#!/bin/sh
case "$1" in
deconfig) ip addr flush dev "$interface" ;;
bound|renew) ip addr add "$ip/$mask" dev "$interface"
  echo "lease $ip mask $mask for $lease from $serverid" ;;
nak) echo "nak" ;;
esac
`

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The lease that udhcpc got, or its output for the reader. */
async function lease(cable: Cable, script: string, ...more: string[]): Promise<string> {
  const base = ['udhcpc', '-i', 'eth0', '-s', script, '-f', '-q', '-n', '-t', '5', '-T', '1']
  const { output } = await cable.client('busybox', ...base, ...more)
  return /^lease .*$/m.exec(output)?.[0] ?? output
}

t.test('a machine gets its address, its loader and its script', { skip }, async (t) => {
  const directory = t.testdir({
    'lease.sh': leaseScript,
    vmlinuz: 'the kernel',
    'initrd.img': 'the initramfs',
    'root.squashfs': 'the root image',
    jangada: 'the agent',
  })
  const script = path.join(directory, 'lease.sh')
  chmodSync(script, 0o755)
  const cable = await makeCable(t, directory)
  const { node } = cable

  const first = await lease(cable, script)
  t.match(first, /^lease 10\.77\.0\.\d+ mask 24 for 3600 from 10\.77\.0\.10$/)
  const address = /lease (\S+)/.exec(first)?.[1] ?? ''
  const acknowledged = await node.line((one) => one['kind'] === 'ack')
  const mac = String(acknowledged['mac'])
  t.equal(acknowledged['client'], 'os')

  const again = await lease(cable, script, '-r', address)
  t.equal(again, first, 'after a restart it is given the same one')
  const other = await lease(cable, script, '-r', '10.77.0.99')
  t.equal(other, first, 'and no other, whatever it asks for')

  const loader = readFileSync('/usr/lib/ipxe/undionly.kpxe')
  for (const [blockSize, name] of [
    ['512', 'undionly.kpxe'],
    ['1468', '/undionly.kpxe'],
    ['65464', '\\undionly.kpxe'],
  ] as const) {
    const local = path.join(directory, `loader-${blockSize}`)
    const get = ['tftp', '-g', '-b', blockSize, '-r', name, '-l', local, serverAddress]
    const { code, output } = await cable.client('busybox', ...get)
    t.equal(code, 0, output)
    t.equal(sha256(readFileSync(local)), sha256(loader), `in blocks of ${blockSize}`)
  }
  await node.line((one) => one['kind'] === 'file-end' && one['over'] === 'tftp')
  const missing = await cable.client('busybox', 'tftp', '-g', '-r', '../etc/passwd', serverAddress)
  t.match(missing, { code: 1, output: /no such file/ })
  writeFileSync(path.join(directory, 'mine'), 'x')
  const put = ['tftp', '-p', '-l', path.join(directory, 'mine'), '-r', 'mine', serverAddress]
  t.match(await cable.client('busybox', ...put), { code: 1, output: /only gives files/ })

  const base = `http://${serverAddress}:7380/boot`
  const get = (url: string) => cable.client('busybox', 'wget', '-q', '-O', '-', url)
  const { output: own } = await get(`${base}/script.ipxe?mac=${encodeURIComponent(mac)}`)
  t.match(own, `jangada.nonce=N1.${mac.replace(/:/g, '')}.0.0a4d00`)
  const { output: foreign } = await get(`${base}/script.ipxe?mac=52:54:00:00:00:01`)
  t.match(foreign, '403 Forbidden')
  for (const [name, content] of [
    ['vmlinuz', 'the kernel'],
    ['initrd.img', 'the initramfs'],
    ['root.squashfs', 'the root image'],
    ['jangada', 'the agent'],
  ] as const) {
    const url = new RegExp(`http://\\S+/boot/[0-9a-f]{64}/${name}`).exec(own)?.[0] ?? ''
    t.equal((await get(url)).output, content, `the script names ${name}`)
  }
})

t.test('a hundred thousand damaged packets to each port leave it serving', { skip }, async (t) => {
  const directory = t.testdir({ 'lease.sh': leaseScript })
  const script = path.join(directory, 'lease.sh')
  chmodSync(script, 0o755)
  const cable = await makeCable(t)
  const { node } = cable
  const first = await lease(cable, script)
  t.match(first, /^lease /)

  // A flood overruns receive buffers, so what counts is what the node says has arrived.
  const sender = path.join(import.meta.dirname, '..', '..', 'fuzz', 'netboot-sender.ts')
  let counters: Record<string, number> = {}
  const received = (protocol: string): number => counters[`jangada_${protocol}_received_total`] ?? 0
  const enough = (): boolean => Math.min(received('dhcp'), received('tftp')) >= 100_000
  for (let seed = 1; seed <= 20 && !enough(); seed += 1) {
    await cable.client(process.execPath, sender, serverAddress, '40000', String(seed))
    counters = await node.counters()
  }
  t.comment(counters)
  t.ok(enough(), 'a hundred thousand have arrived at each port')
  t.ok((counters['jangada_dhcp_dropped_total bad-options'] ?? 0) > 1000)
  t.ok((counters['jangada_tftp_dropped_total malformed'] ?? 0) > 1000)
  t.doesNotThrow(() => process.kill(node.pid, 0), 'the same process')
  t.equal(await lease(cable, script), first, 'still serving, and nobody took the address')
})
