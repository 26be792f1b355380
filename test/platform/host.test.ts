import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readHostFacts, systemHost } from '../../src/platform/host.ts'

/** A machine's /sys and /proc, as far as the facts need them. */
const card = (address: string) => ({ device: {}, addr_assign_type: '0\n', address: `${address}\n` })
const bridge = { bridge: {}, addr_assign_type: '3\n', address: '02:42:00:00:00:01\n' }
const loopback = { addr_assign_type: '0\n', address: '00:00:00:00:00:00\n' }
const random = { addr_assign_type: '1\n', address: '66:00:00:00:00:01\n' }
const chosen = { addr_assign_type: '3\n', address: '02:6a:00:00:00:01\n' }

t.test('a machine is told by its cards, not by its bridges', async (t) => {
  const [first, second] = [card('52:54:00:ab:00:01'), card('52:54:00:AB:00:02')]
  const net = { lo: loopback, docker0: bridge, veth1: random, eth1: second, eth0: first }
  const dmi = { id: { product_uuid: '4C4C4544-0000-1000-8000-000000000001\n' } }
  const root = t.testdir({
    sys: { class: { net, dmi }, fs: { cgroup: { 'cgroup.controllers': 'cpu\n' } } },
    proc: { sys: { kernel: { osrelease: '6.1.0\n', random: { boot_id: 'b-1\n' } } } },
  })
  const facts = await readHostFacts(root)
  t.same(facts.macs, ['52:54:00:ab:00:01', '52:54:00:ab:00:02'])
  t.equal(facts.smbiosUuid, '4c4c4544-0000-1000-8000-000000000001')
  t.match(facts, { bootId: 'b-1', kernel: '6.1.0', cgroupVersion: 2 })
})

t.test('a host in a namespace has no card, and an address that someone chose', async (t) => {
  const net = { lo: loopback, docker0: bridge, veth1: random, eth0: chosen }
  const facts = await readHostFacts(t.testdir({ sys: { class: { net } } }))
  t.same(facts.macs, ['02:6a:00:00:00:01'])
  t.equal(facts.smbiosUuid, undefined)
  t.equal(facts.cgroupVersion, 1)
})

t.test('this machine', async (t) => {
  const facts = await systemHost().facts()
  t.equal(facts.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  t.ok(facts.cpus >= 1)
  t.ok(facts.memoryBytes > 64 * 1024 * 1024)
})

t.test('every thread runs ahead of others, and not the first alone', (t) => {
  const host = new URL('../../src/platform/host.ts', import.meta.url).href
  const program = `
    const { hurry } = await import(${JSON.stringify(host)})
    const { readdirSync } = await import('node:fs')
    const { getPriority } = await import('node:os')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const told = hurry()
    const all = readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)))
    console.log(JSON.stringify({ told, all }))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program])
  const { told, all } = JSON.parse(stdout.toString()) as { told: boolean; all: number[] }
  t.ok(told)
  t.ok(all.length > 4, `${all.length} threads`)
  t.same([...new Set(all)], [-14])
  t.end()
})
