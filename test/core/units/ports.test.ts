import t from 'tap'
import { maxTransactionBytes, maxValueBytes } from '../../../src/core/store/types.ts'
import { portsMax } from '../../../src/core/units/docker-setters.ts'
import { refusals, specOf } from './helpers.ts'

t.test('a unit has so many ports at most: where it is must fit into one record', async (t) => {
  const line = (flags: string): string => `[Service]\nExecStart=docker run ${flags} busybox`
  const most = `-p 1-${portsMax}:1-${portsMax}/udp`
  t.equal(specOf(line(most)).needs.ports.length, portsMax)
  const tooMany = /at most 10240 ports: .*the host's network/
  const all = '1-65535'
  for (const flags of [
    `-p 20000-${all.slice(2)}:20000-${all.slice(2)}/udp`,
    `${most} -p 80:80`,
    `${most} --expose 80`,
    `--expose ${all}`,
    `-p ${all}`,
    `-p ${all} `.repeat(400),
  ]) {
    t.match(refusals(line(flags))[0], tooMany)
  }
  // The longest address and port; two such records, of where it is and where it was, in a transaction.
  const port = { port: '65535/sctp', ip: '0000:0000:0000:0000:0000:ffff:255.255.255.255' }
  const ports = Array.from({ length: portsMax }, () => port)
  t.ok(2 * JSON.stringify(ports).length + 10_000 < maxTransactionBytes)
  t.ok(JSON.stringify(ports).length + 5000 < maxValueBytes)
})
