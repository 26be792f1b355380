/** `netboot-sender.ts ADDRESS COUNT SEED`: so many damaged packets to each of ports 67 and 69. */
import { createSocket } from 'node:dgram'
import { setImmediate } from 'node:timers/promises'
import { SeededRandom } from '../../src/base/random.ts'
import { dhcpSamples, mutate, tftpSamples } from './netboot.ts'

const [address = '127.0.0.1', count = '1000', seed = '1'] = process.argv.slice(2)
const random = new SeededRandom(Number(seed))
/** Packets before the sender waits, so that a receive buffer can hold them. */
const burst = 16

const socket = createSocket('udp4')
await new Promise<void>((resolve) => socket.bind(0, resolve))
const send = (bytes: Uint8Array, port: number): Promise<unknown> =>
  new Promise((resolve) => socket.send(bytes, port, address, resolve))

for (let sent = 0; sent < Number(count); sent += burst) {
  const some = Array.from({ length: Math.min(burst, Number(count) - sent) }, () => [
    send(mutate(random, dhcpSamples), 67),
    send(mutate(random, tftpSamples), 69),
  ])
  await Promise.all(some.flat())
  await setImmediate()
}
socket.close()
process.stdout.write(`sent ${count} to each port\n`)
