/**
 * Services of a host: programs that its init keeps running, and starts again when the host is
 * switched on again, as systemd does on a real machine. A service is a shell script in the host's
 * `services` directory; init is told over a fifo, so that nothing polls.
 */
import { constants } from 'node:fs'
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'
import { supervisorDir } from './host-init.ts'
import { tail } from './logs.ts'
import type { ProcessRef } from './processes.ts'
import { type RackWorld, until } from './world.ts'

/** A host that is up, as this room needs it. */
export interface RunningHost {
  readonly name: string
  /** Its directory outside. */
  readonly directory: string
  readonly init: ProcessRef
}

export type ServiceSignal = 'TERM' | 'KILL' | 'INT' | 'HUP' | 'STOP' | 'CONT' | 'USR1' | 'USR2'

const servicePattern = /^[a-z][a-z0-9-]{0,31}$/
const controlTimeoutMs = 15_000
const logLinesShown = 15

/** For the shell, so that it takes `word` as it is. */
export const shellQuote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

const scriptFile = (host: RunningHost, service: string): string =>
  path.join(host.directory, 'services', checkService(service))

export const serviceLog = (directory: string, service: string): string =>
  path.join(directory, 'log', checkService(service))

function checkService(service: string): string {
  if (servicePattern.test(service)) return service
  throw new JangadaError('JGD_USAGE', `"${service}" cannot be the name of a service`, {
    hint: 'Use lower-case letters, digits and hyphens, a letter first.',
  })
}

const inside = (host: RunningHost, name: string): string =>
  path.join(`/proc/${host.init.pid}/root`, supervisorDir, name)

/**
 * Starts `argv` and keeps it running: 0.5 s after it has ended it is started again, until
 * `stopService`. Resolves when it was started once. Its words go to the host's `log/SERVICE`.
 */
export async function startService(
  world: RackWorld,
  host: RunningHost,
  service: string,
  argv: readonly string[],
): Promise<void> {
  const file = scriptFile(host, service)
  const hidden = path.join(host.directory, `${service}.new`)
  await writeFile(hidden, `cd /\nexec ${argv.map(shellQuote).join(' ')}\n`)
  await rename(hidden, file)
  const started = inside(host, `${service}.started`)
  await rm(started, { force: true })
  const wait = {
    what: `${service} runs on ${host.name}`,
    timeoutMs: controlTimeoutMs,
    evidence: () => tail(serviceLog(host.directory, service), logLinesShown),
  }
  await until(world.clock, wait, async () => {
    // Asked again and again: a loop that was just ending may not have seen the new script.
    if ((await stat(started).catch(() => undefined)) !== undefined) return true
    if ((await servicePid(host, service)) !== undefined) return true
    await control(host, `start ${service}`)
    return undefined
  })
}

/** Sends `signal`, and SIGKILL when it still runs after `graceMs`. It is not started again. */
export async function stopService(
  world: RackWorld,
  host: RunningHost,
  service: string,
  options: { readonly signal?: ServiceSignal; readonly graceMs?: number } = {},
): Promise<void> {
  await rm(scriptFile(host, service), { force: true })
  if ((await servicePid(host, service)) === undefined) return
  const deadlineMs = world.clock.monotonicMs() + (options.graceMs ?? 10_000)
  await signalService(host, service, options.signal ?? 'TERM')
  const timeoutMs = (options.graceMs ?? 10_000) + controlTimeoutMs
  await until(world.clock, { what: `${service} stops on ${host.name}`, timeoutMs }, async () => {
    if ((await servicePid(host, service)) === undefined) return true
    if (world.clock.monotonicMs() >= deadlineMs) await signalService(host, service, 'KILL')
    return undefined
  })
}

/** A service that this ends is started again by the host's init. */
export async function signalService(
  host: RunningHost,
  service: string,
  signal: ServiceSignal,
): Promise<void> {
  await control(host, `signal ${checkService(service)} ${signal}`)
}

/** The process of the service, as the host numbers it; undefined while it has none. */
export async function servicePid(host: RunningHost, service: string): Promise<number | undefined> {
  const file = inside(host, `${checkService(service)}.pid`)
  const text = await readFile(file, 'utf8').catch(() => '')
  return Number(text) > 0 ? Number(text) : undefined
}

/** Not waiting for a reader: when init is not there to read, there is nobody to tell. */
async function control(host: RunningHost, line: string): Promise<void> {
  const fifo = await open(inside(host, 'control'), constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    await fifo.write(`${line}\n`)
  } finally {
    await fifo.close()
  }
}
