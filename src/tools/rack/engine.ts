/**
 * The Docker engine of a host, spoken to from outside through /proc/PID/root. No client program
 * is started, and no namespace is entered.
 */
import { askSocket, openSocket } from './socket.ts'
import { rackError } from './world.ts'

const askTimeoutMs = 3_000
/** Loading copies hundreds of megabytes on a slow disk. */
const loadTimeoutMs = 300_000
/** By which an agent's containers are known. */
const unitLabel = 'jangada.unit'

export const engineSocket = (initPid: number): string => `/proc/${initPid}/root/run/docker.sock`

export interface EngineInfo {
  readonly id: string
  /** The engine's host name. While a host is still mounting, this may be another engine's. */
  readonly name: string
  readonly liveRestore: boolean
}

export async function engineInfo(initPid: number): Promise<EngineInfo> {
  const info = JSON.parse(await ask(initPid, 'GET', '/info')) as {
    ID: string
    Name: string
    LiveRestoreEnabled: boolean
  }
  return { id: info.ID, name: info.Name, liveRestore: info.LiveRestoreEnabled }
}

/** `docker load`. Throws `JGD_RACK` when the engine does not take the file. */
export async function loadImage(initPid: number, tarFile: string): Promise<void> {
  const answer = await ask(initPid, 'POST', '/images/load?quiet=1', tarFile)
  if (answer.includes('"errorDetail"')) throw rackError(`docker load of ${tarFile}: ${answer}`)
}

/** A container that a unit runs in, as its engine tells it. */
export interface UnitContainer {
  readonly id: string
  readonly unit: string
  /** `running`, `exited`, …: the engine's word. */
  readonly state: string
}

/** What `docker ps --all --filter label=jangada.unit` shows on the host. */
export async function listUnitContainers(initPid: number): Promise<UnitContainer[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [unitLabel] }))
  const listed = JSON.parse(await ask(initPid, 'GET', `/containers/json?all=1&filters=${filters}`))
  return (listed as { Id: string; State: string; Labels: Record<string, string> }[]).map(
    ({ Id: id, State: state, Labels: labels }) => ({ id, state, unit: labels[unitLabel] ?? '' }),
  )
}

/**
 * Calls `told` for each container of a unit that starts from now on, until `signal` aborts or the
 * engine ends. Resolves when the engine is listening, so that no start after it is missed.
 */
export async function onUnitStart(
  initPid: number,
  signal: AbortSignal,
  told: () => void,
): Promise<void> {
  const wanted = { type: ['container'], event: ['start'], label: [unitLabel] }
  const filters = encodeURIComponent(JSON.stringify(wanted))
  const path = `/events?filters=${filters}`
  const events = await openSocket(engineSocket(initPid), { method: 'GET', path }, signal)
  // One event may come in two pieces, which costs whoever looks one look more.
  events.on('data', told)
  // An engine that went away has nothing more to tell.
  events.on('error', () => undefined)
}

/** When the container was last started, as the engine spells it, and its process on the host. */
export async function containerStart(
  initPid: number,
  id: string,
): Promise<{ readonly startedAt: string; readonly pid: number }> {
  const details = JSON.parse(await ask(initPid, 'GET', `/containers/${id}/json`))
  const { State } = details as { State: { StartedAt: string; Pid: number } }
  return { startedAt: State.StartedAt, pid: State.Pid }
}

function ask(
  initPid: number,
  method: 'GET' | 'POST',
  path: string,
  bodyFile?: string,
): Promise<string> {
  const timeoutMs = bodyFile === undefined ? askTimeoutMs : loadTimeoutMs
  const body = bodyFile === undefined ? undefined : { file: bodyFile, type: 'application/x-tar' }
  return askSocket(engineSocket(initPid), { method, path, timeoutMs, ...(body && { body }) })
}
