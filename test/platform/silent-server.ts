/** Something that takes TCP connections and never says a word. */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export function silentServer(t: Test): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    })
  })
}
