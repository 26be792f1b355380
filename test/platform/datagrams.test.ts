import t from 'tap'
import { udpDatagrams } from '../../src/platform/datagrams.ts'
import type { Link } from '../../src/ports/datagrams.ts'
import { datagramsContract } from '../contract/datagrams.ts'

const link: Link = { name: 'lo', mac: '', address: '127.0.0.1', prefixLength: 8 }

t.test("the machine's UDP", (t) => {
  datagramsContract(t, () => ({ datagrams: udpDatagrams(), link, run: (promise) => promise }))
  t.end()
})

t.test('links are the interfaces with an IPv4 address, loopback left out', (t) => {
  for (const one of udpDatagrams().links()) {
    t.not(one.name, 'lo')
    t.match(one.address, /^\d+\.\d+\.\d+\.\d+$/)
    t.match(one.mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
    t.ok(one.prefixLength >= 1 && one.prefixLength <= 32)
  }
  t.end()
})

t.test('broadcasts of one port are received for one link at a time', async (t) => {
  const datagrams = udpDatagrams()
  const options = { broadcast: true, onMessage: () => {} }
  const first = await datagrams.open({ ...options, link, port: 0 })
  const other = { ...link, name: 'other', address: '127.0.0.2' }
  const second = datagrams.open({ ...options, link: other, port: first.port })
  await t.rejects(second, { code: 'JGD_LINK_UNKNOWN', message: /for link lo/ })
  first.close()
  const again = await datagrams.open({ ...options, link: other, port: first.port })
  again.close()
})

t.test('an address that this machine does not have is told as such', async (t) => {
  const elsewhere = { ...link, address: '192.0.2.1' }
  const opening = udpDatagrams().open({
    link: elsewhere,
    port: 0,
    broadcast: false,
    onMessage: () => {},
  })
  await t.rejects(opening, { code: 'JGD_LINK_UNKNOWN' })
})
