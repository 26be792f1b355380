/**
 * The load generator, a process of its own in the network namespace of a host that is no member:
 * `node generator.ts ORDER`, with the order as JSON. Prints a report as JSON.
 */
import { SeededRandom } from '../../../src/base/random.ts'
import type { Connection, Operation } from './connection.ts'
import { openGrpc } from './grpc-connection.ts'
import { openHttp } from './http-connection.ts'
import { load, type LoadResult } from './load.ts'
import { batchKeys, keyCount, type Order, type Report, valueBytes } from './order.ts'

/** gRPC has many calls on one connection; etcd's own generator opens a hundred. */
const grpcConnectionsMax = 99
const lookers = 48

const keyOf = (number: number): string => `bench-${String(number).padStart(5, '0')}`
const numberOf = (key: string): number => Number(key.slice(-5))

async function run(order: Order): Promise<Report> {
  const random = new SeededRandom(order.seed)
  const acknowledged = new Set<number>()
  const rows: LoadResult[] = []
  let written = 0
  const put = (): string => {
    written += 1
    return `${order.seed}-${written} `.padEnd(valueBytes, 'v')
  }
  for (const { kind, clients, seconds } of order.rows) {
    const connections = await connect(order, clients)
    const next = (): Operation => {
      const first = random.integer(0, keyCount - 1)
      const others = kind === 'batch' ? batchKeys - 1 : 0
      // No transaction writes a key twice.
      const rest = Array.from({ length: others }, (_, at) => keyOf((first + 1 + at) % keyCount))
      return { keys: [keyOf(first), ...rest], value: kind === 'read' ? undefined : put() }
    }
    const onAcknowledged = ({ keys, value }: Operation): void => {
      if (value !== undefined) for (const key of keys) acknowledged.add(numberOf(key))
    }
    rows.push(await load({ connections, clients, seconds, next, onAcknowledged }))
    for (const connection of connections) connection.close()
  }
  return { rows, acknowledged: [...acknowledged], missing: await look(order) }
}

/** Each client of HTTP/1.1 has a connection; clients of gRPC share some. All nodes get as many. */
function connect(order: Order, clients: number): Promise<Connection[]> {
  const grpc = order.store === 'etcd'
  const count = grpc ? Math.min(clients, grpcConnectionsMax) : clients
  return Promise.all(
    Array.from({ length: count }, (_, at) => {
      const endpoint = order.endpoints[at % order.endpoints.length]!
      return grpc ? openGrpc(endpoint) : openHttp(endpoint, order.bearer)
    }),
  )
}

async function look(order: Order): Promise<number[]> {
  const left = [...(order.look ?? [])]
  const missing: number[] = []
  const connections = left.length === 0 ? [] : await connect(order, lookers)
  await Promise.all(
    connections.map(async (connection) => {
      for (let number = left.pop(); number !== undefined; number = left.pop()) {
        const found = await connection.request({ keys: [keyOf(number)], value: undefined })
        if (!found) missing.push(number)
      }
      connection.close()
    }),
  )
  return missing
}

const order = JSON.parse(process.argv[2] ?? '') as Order
process.stdout.write(`${JSON.stringify(await run(order))}\n`)
