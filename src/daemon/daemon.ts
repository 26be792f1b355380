/**
 * `jangada up`: this machine's part of the cluster, wired to the real world. It waits for an
 * identity if there is none, and never makes a cluster by itself.
 */
import { isJangadaError } from '../base/errors.ts'
import type { IdentityFiles } from '../node/enrol/identity-files.ts'
import { systemClock } from '../platform/clock.ts'
import { hurry } from '../platform/host.ts'
import { openLog } from '../platform/log.ts'
import { version } from '../platform/version.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { UpConfig } from './config.ts'
import { addressStillHere, bootArguments, machineFacts } from './machine.ts'
import { joinAsBooted, joinCluster, storedIdentity } from './membership.ts'
import { rememberedAddress, stateDisk } from './membership.ts'
import { type Logging, RunningMachine } from './running-machine.ts'

const identityLookMs = 500
const addressRetryMs = 500

/** Runs until `signal` aborts. Rejects when the machine cannot do its part at all. */
export async function runDaemon(config: UpConfig, signal: AbortSignal): Promise<void> {
  const { log, flush } = await openLog({ level: config.logLevel })
  if (!hurry()) log.warn('this process may not run ahead of others; pulses may come late')
  try {
    const files = await awaitIdentity(config, log, signal)
    if (files !== undefined) await serve(config, files, { log, flush }, signal)
  } finally {
    flush()
  }
}

/** Undefined when `signal` aborted first. */
async function awaitIdentity(
  config: UpConfig,
  log: Log,
  signal: AbortSignal,
): Promise<IdentityFiles | undefined> {
  const clock = systemClock()
  const stored = await storedIdentity(config)
  if (stored !== undefined) return stored
  if (config.join !== undefined) {
    await awaitAddress(config, clock, log, signal)
    return joinCluster({ ...config, ...config.join }, (id) => tellPending(log, id), signal)
  }
  if ((await bootArguments()) !== undefined) {
    await awaitAddress(config, clock, log, signal)
    return joinAsBooted(config, log, signal)
  }
  log.info('this machine belongs to no cluster yet', {
    next: '"jangada init" makes a new one, "jangada join ADDRESS --token T" joins one',
  })
  while (!signal.aborted) {
    await sleep(clock, identityLookMs, signal)
    const found = await storedIdentity(config)
    if (found !== undefined) return found
  }
  return undefined
}

const tellPending = (log: Log, machineId: string): void =>
  log.info('waiting to be admitted', { machineId, next: `jangada admit ${machineId}` })

/** The link may still be waiting for its lease. */
async function awaitAddress(
  config: UpConfig,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<string> {
  for (let told = false; ; told = true) {
    try {
      return (await machineFacts(config)).address
    } catch (error) {
      if (!isJangadaError(error, 'JGD_LINK_UNKNOWN') || signal.aborted) throw error
      if (!told) log.info('waiting for an IPv4 address')
      await sleep(clock, addressRetryMs, signal)
    }
  }
}

async function serve(
  config: UpConfig,
  files: IdentityFiles,
  logging: Logging,
  signal: AbortSignal,
): Promise<void> {
  const { log } = logging
  const said = config.address ?? (await rememberedAddress(await stateDisk(config)))
  const own = config.address ?? addressStillHere(said)
  if (said !== own) log.warn('no link has the address that was given any more', { address: said })
  const chosen = { ...config, address: own }
  const address = await awaitAddress(chosen, systemClock(), log, signal)
  const machine = new RunningMachine(config, files, address, logging)
  try {
    await machine.start()
  } catch (error) {
    // Half a node votes and starts containers, and nobody can ask it anything.
    await machine.stop()
    throw error
  }
  log.info('up', { machine: files.machineId, address, version: version() })
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await machine.stop()
}
