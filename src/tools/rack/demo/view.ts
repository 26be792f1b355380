/** The cluster as it is seen from outside: engines, sockets, and the network. */
import type { StatusReport } from '../../../node/api/answers.ts'
import { listUnitContainers } from '../engine.ts'
import { inNetwork } from '../network.ts'
import { must } from '../processes.ts'
import type { Rack } from '../rack.ts'
import { askSocket } from '../socket.ts'
import type { SeenMachine, SeenUnit } from './unit-rules.ts'

const askTimeoutMs = 3000
const plainPort = 7380

export interface SeenContainer extends SeenUnit {
  readonly id: string
  readonly state: string
}

/** Every container of a unit, running or not, on these hosts' engines. */
export async function containersOn(rack: Rack, hosts: readonly string[]): Promise<SeenContainer[]> {
  const lists = await Promise.all(
    hosts.map(async (machine) => {
      const containers = await listUnitContainers(await rack.initPid(machine))
      return containers.map((container) => ({ ...container, machine }))
    }),
  )
  return lists.flat()
}

export const isRunning = ({ state }: { readonly state: string }): boolean => state === 'running'

/** `GET /v1/status` over the socket of the node on `host`. */
export const statusOf = async (rack: Rack, host: string): Promise<StatusReport> =>
  JSON.parse(await askNode(rack, host, 'GET', '/v1/status')) as StatusReport

/** Asks the API of the node on `host` over its socket; `body` is sent as JSON. */
export async function askNode(
  rack: Rack,
  host: string,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<string> {
  const socket = `/proc/${await rack.initPid(host)}/root/run/jangada/jangada.sock`
  const json = { text: JSON.stringify(body), type: 'application/json' }
  const timeoutMs = askTimeoutMs
  return askSocket(socket, {
    method,
    path,
    timeoutMs,
    ...(body === undefined ? {} : { body: json }),
  })
}

/** What the machines' plain doors tell, asked from the rack's network, in the order of `hosts`. */
export async function statusOverNetwork(
  rack: Rack,
  hosts: readonly string[],
): Promise<StatusReport[]> {
  const urls = hosts.map((host) => `http://${rack.host(host).address}:${plainPort}/status`)
  return JSON.parse(await onNetwork(rack, fetchAll, urls)) as StatusReport[]
}

const fetchAll = `
  const texts = process.argv.slice(1).map(async (url) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(${askTimeoutMs}) })
    if (!response.ok) throw new Error(url + ': ' + response.status + ' ' + await response.text())
    return response.text()
  })
  process.stdout.write('[' + (await Promise.all(texts)).join(',') + ']')`

/** Runs a little program of Node's on the switch, as somebody on the network would. */
export const onNetwork = (rack: Rack, script: string, args: readonly string[]): Promise<string> =>
  must([
    ...inNetwork(rack.spec.switch.pid),
    ...[process.execPath, '--input-type=module', '-e', script, '--', ...args],
  ])

/** The machines that are hosts of the rack, as the cluster knows them. */
export const machinesOf = (rack: Rack, status: StatusReport): SeenMachine[] =>
  status.machines.filter(({ name }) => rack.spec.hosts.some((host) => host.name === name))
