/** What the steps of the story share: the rack, the units in it, and ways to look at them. */
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { StatusReport } from '../../../node/api/answers.ts'
import { program } from '../cluster.ts'
import type { Rack } from '../rack.ts'
import { rackError, until } from '../world.ts'
import { checkRules, type FileRules, rulesOf } from './unit-rules.ts'
import { containersOn, isRunning, machinesOf, type SeenContainer, statusOf } from './view.ts'

/** Containers start at about four a second on two cores, on a busy machine more slowly. */
const rulesTimeoutMs = 60_000
const rulesPollMs = 100
const agreeTimeoutMs = 30_000
/** Of one command: `start` waits for its units, `image import` sends 150 MB. */
const commandTimeoutMs = 120_000

/** The repository's examples; the story is told from a checkout. */
export const examplesDirectory = path.join(import.meta.dirname, '../../../../examples')

export interface Scene {
  readonly rack: Rack
  /** Every unit that shall run, with what its file says. */
  readonly units: Map<string, FileRules>
}

export const hostNames = (rack: Rack): string[] => rack.spec.hosts.map(({ name }) => name)

/** A `jangada` command on a host, as a person would type it there. */
export const jangada = (rack: Rack, host: string, ...words: string[]): Promise<string> =>
  rack.sh(host, [program, ...words], { timeoutMs: commandTimeoutMs })

/** The examples as they are: file name → full path. Templates to fill in (`.in`) are not there. */
export async function exampleFiles(): Promise<Map<string, string>> {
  const names = (await readdir(examplesDirectory)).filter((name) => name.endsWith('.service'))
  return new Map(names.toSorted().map((name) => [name, path.join(examplesDirectory, name)]))
}

/** Adds the rules of `file` under each of `names`. */
export async function expectUnits(
  units: Map<string, FileRules>,
  file: string,
  names: readonly string[],
): Promise<void> {
  const rules = rulesOf(await readFile(file, 'utf8'))
  for (const name of names) units.set(name, rules)
}

export interface Settled {
  readonly status: StatusReport
  /** The running ones. */
  readonly containers: readonly SeenContainer[]
}

/**
 * Resolves when the engines of `hosts` run what the units' files ask for. Rejects at once when
 * they run what a rule forbids, even for a moment.
 */
export async function rulesKept(scene: Scene, hosts: readonly string[]): Promise<Settled> {
  const { rack, units } = scene
  const [first = ''] = hosts
  const away = hosts.length < rack.spec.hosts.length
  let last: readonly string[] = []
  const wait = {
    what: 'every unit runs where its file says',
    timeoutMs: rulesTimeoutMs,
    pollMs: rulesPollMs,
    evidence: async () => last.map((one) => `not yet: ${one}`).join('\n'),
  }
  return until(rack.clock, wait, async () => {
    const status = await statusOf(rack, first)
    const containers = (await containersOn(rack, hosts)).filter(isRunning)
    const machines = machinesOf(rack, status).filter(({ name }) => hosts.includes(name))
    const { broken, missing } = checkRules(units, machines, containers, { away })
    if (broken.length > 0) throw rackError(`a rule is broken:\n${broken.join('\n')}`)
    last = missing
    return missing.length === 0 ? { status, containers } : undefined
  })
}

/** The first status of `host` that `fits`. A node that does not answer yet is asked again. */
export function statusThat(
  rack: Rack,
  host: string,
  what: string,
  fits: (status: StatusReport) => boolean,
): Promise<StatusReport> {
  const wait = { what, timeoutMs: agreeTimeoutMs, pollMs: 50 }
  return until(rack.clock, wait, async () => {
    const status = await statusOf(rack, host)
    return fits(status) ? status : undefined
  })
}

/**
 * Hands the lead to `host`, asking `asked`; resolves when that one sees it there. On a machine
 * that is too busy the lead may move on by itself just then, so it is asked for again.
 */
export async function makeLeader(rack: Rack, host: string, asked: string): Promise<void> {
  const wait = { what: `${host} leads`, timeoutMs: agreeTimeoutMs, pollMs: 200 }
  await until(rack.clock, wait, async () => {
    const { leader } = await statusOf(rack, asked)
    if (leader?.name === host) return true
    await rack.exec(asked, [program, 'leader', 'transfer', host])
    return undefined
  })
}

export const votersOf = (status: StatusReport): string[] =>
  status.members.filter(({ role }) => role === 'voter').map(({ name }) => name)

export const readyMachines = (status: StatusReport): string[] =>
  status.machines.filter((machine) => machine.status === 'ready').map(({ name }) => name)

/** The name of the machine that leads; throws when there is none. */
export function leaderOf(status: StatusReport): string {
  const name = status.leader?.name
  if (name === undefined || name === null) throw new Error('nobody leads')
  return name
}

/** One line for each unit, one column for each machine, a mark where it runs. */
export function placementTable(
  units: Iterable<string>,
  hosts: readonly string[],
  containers: readonly SeenContainer[],
): string[] {
  const names = [...units].toSorted()
  const width = Math.max(...names.map(({ length }) => length)) + 2
  const row = (first: string, cells: readonly string[]): string =>
    `${first.padEnd(width)}${cells.map((cell) => cell.padEnd(4)).join('')}`.trimEnd()
  const mark = (unit: string, host: string): string =>
    containers.some((one) => one.unit === unit && one.machine === host) ? 'x' : '.'
  const count = (host: string): string =>
    String(containers.filter(({ machine }) => machine === host).length)
  return [
    row('', hosts),
    ...names.map((unit) =>
      row(
        unit,
        hosts.map((host) => mark(unit, host)),
      ),
    ),
    row('containers', hosts.map(count)),
  ]
}
