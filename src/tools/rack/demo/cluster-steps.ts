/** Steps a to f and i: the cluster, the rules, a power cut, and an empty table at the end. */
import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { StatusReport } from '../../../node/api/answers.ts'
import { bringUpCluster } from '../cluster.ts'
import { containerStart } from '../engine.ts'
import { rackDown, rackUp } from '../lifecycle.ts'
import { compareOutside, type OutsideSnapshot } from '../outside.ts'
import { lanPrefix, lanPrefixBits } from '../names.ts'
import { must } from '../processes.ts'
import type { Rack } from '../rack.ts'
import { type RackWorld, rackError, until } from '../world.ts'
import { cutAndWatch, movable } from './failover.ts'
import {
  exampleFiles,
  examplesDirectory,
  expectUnits,
  hostNames,
  jangada,
  leaderOf,
  makeLeader,
  placementTable,
  readyMachines,
  rulesKept,
  type Scene,
  type Settled,
  statusThat,
  votersOf,
} from './scene.ts'
import type { Story } from './story.ts'
import { type SeenContainer, containersOn, isRunning, statusOf, statusOverNetwork } from './view.ts'

const repository = path.join(import.meta.dirname, '../../../..')
export const binaryFile = path.join(repository, 'dist/jangada')
export const hostCount = 3
const helloNames = [1, 2, 3, 4, 5, 6].map((number) => `hello@${number}.service`)
/** Two, so that what wants a fast disk has somewhere to go when one of them loses its power. */
const metadata = { n1: { disk: 'hdd' }, n2: { disk: 'ssd' }, n3: { disk: 'ssd' } }
/**
 * The rack's registry has no certificate, as nobody could have signed it. The engine of a machine
 * that is booted learns from its init's environment that on this network it may do without.
 */
const plainRegistry = [
  `systemd.setenv=DOCKER_OPTS=--insecure-registry=${lanPrefix}.0/${lanPrefixBits}`,
]
const agreeTimeoutMs = 30_000

/** Runs one of the repository's scripts, which shows its own progress. */
export function runScript(name: string): Promise<void> {
  const script = path.join(repository, 'scripts', name)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script], { stdio: 'inherit', cwd: repository })
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code === 0) resolve()
      else reject(rackError(`scripts/${name} ended with ${code ?? 'a signal'}`))
    })
  })
}

/** a. */
export async function buildStep(story: Story): Promise<void> {
  await runScript('build.mjs')
  const { size } = await stat(binaryFile)
  const version = (await must([binaryFile, '--version'])).trim()
  story.note(`dist/jangada ${version}, ${(size / 1e6).toFixed(0)} MB, one file`)
}

/** b. */
export async function rackStep(
  story: Story,
  world: RackWorld,
  options: { readonly name: string; readonly blanks: number; readonly binary: string },
): Promise<Rack> {
  const rack = await rackUp(world, { ...options, hosts: hostCount })
  const { hosts } = await rack.ls()
  const engines = new Set(hosts.map(({ engineId }) => engineId))
  if (engines.size !== hostCount) throw rackError('two hosts share one engine')
  const names = hostNames(rack)
  story.note(`${names.join(', ')}: hosts, each with a Docker engine of its own`)
  story.concerns(...names)
  const [bootHost = ''] = names
  const boot = { bootLink: 'eth0', bootHosts: [bootHost], kernelArguments: plainRegistry }
  await bringUpCluster(rack, { ...(options.blanks > 0 ? boot : {}), metadata })
  story.note('jangada init on one, jangada join on the others, jangada up on all')
  const status = await statusThat(rack, bootHost, 'three voters', (seen) => {
    return votersOf(seen).length === hostCount && readyMachines(seen).length === hostCount
  })
  story.note(`one cluster: voters ${votersOf(status).join(', ')}; ${leaderOf(status)} leads`)
  return rack
}

/** c. */
export async function statusStep(story: Story, rack: Rack): Promise<void> {
  const names = hostNames(rack)
  story.concerns(...names)
  const [first] = await allAgree(rack, names)
  if (first === undefined) throw rackError('there is no node to ask')
  for (const name of names) {
    story.note(`http://${rack.host(name).address}:7380/status of ${name} says so too`)
  }
  const { cluster, machines, members, units } = first
  story.note(
    `cluster ${cluster.slice(0, 8)}: leader ${leaderOf(first)}, ${members.length} members, ` +
      `${machines.length} machines, ${units.length} units`,
  )
}

/** Every node's own answer, once all tell the same. */
export function allAgree(rack: Rack, names: readonly string[]): Promise<StatusReport[]> {
  let last = ''
  const wait = {
    what: 'every node tells the same',
    timeoutMs: agreeTimeoutMs,
    pollMs: 100,
    evidence: async () => last,
  }
  return until(rack.clock, wait, async () => {
    const reports = await statusOverNetwork(rack, names)
    const told = reports.map(({ cluster, leader, members, machines, units }) =>
      JSON.stringify({ cluster, leader, members, machines, units }),
    )
    last = told.join('\n')
    const isFresh = reports.every(({ stale, leader }) => stale === false && leader !== null)
    return isFresh && new Set(told).size === 1 ? reports : undefined
  })
}

/** d. */
export async function rulesStep(story: Story, scene: Scene): Promise<Settled> {
  const { rack, units } = scene
  const names = hostNames(rack)
  const [first = ''] = names
  story.concerns(...names)
  const files = await exampleFiles()
  await jangada(rack, first, 'submit', ...files.values())
  story.note(`submitted ${files.size} unit files of examples/`)
  for (const [name, file] of files) {
    await expectUnits(units, file, name === 'hello@.service' ? helloNames : [name])
  }
  const plain = [...files.keys()].filter((name) => !name.includes('@'))
  await jangada(rack, first, 'start', ...plain, 'hello@{1..6}')
  await rulesKept(scene, names)
  story.note(`${units.size} units run, told to by "jangada start"`)

  const machine = await leastLoaded(rack, names)
  const file = path.join(rack.spec.stateDir, 'only-here.service')
  const template = await readFile(path.join(examplesDirectory, 'only-here.service.in'), 'utf8')
  await writeFile(file, template.replace('@MACHINE_ID@', machine.id))
  await expectUnits(units, file, ['only-here.service'])
  await jangada(rack, first, 'submit', file)
  await jangada(rack, first, 'start', 'only-here.service')
  const settled = await rulesKept(scene, names)
  story.note(`only-here.service runs on ${machine.name}, whose id it names`)
  story.show(placementTable(units.keys(), names, settled.containers))
  story.note(`every rule holds, by what the ${names.length} engines run`)
  return settled
}

async function leastLoaded(
  rack: Rack,
  names: readonly string[],
): Promise<{ id: string; name: string }> {
  const { machines } = await statusOf(rack, names[0] ?? '')
  const [least] = machines
    .filter(({ name }) => names.includes(name))
    .toSorted((a, b) => a.units - b.units)
  if (least === undefined) throw rackError('there is no machine')
  return least
}

/** e. Returns the host without power. */
export async function powerCutStep(story: Story, scene: Scene): Promise<string> {
  const { rack, units } = scene
  const names = hostNames(rack)
  const before = (await containersOn(rack, names)).filter(isRunning)
  const victim = mostLoaded(names, before)
  const others = names.filter((name) => name !== victim)
  const [asked = ''] = others
  story.concerns(...names)
  await makeLeader(rack, victim, asked)
  const there = before.filter(({ machine }) => machine === victim).map(({ unit }) => unit)
  story.note(`${victim} leads, and has the most containers: ${there.length}`)

  story.concerns(...others)
  const lost = there.filter((unit) => {
    const rules = units.get(unit)
    return rules !== undefined && movable(rules)
  })
  const waiting = there.filter((unit) => units.get(unit)?.hasVolume === true)
  const outcome = await cutAndWatch(rack, victim, others, lost)
  story.startClock(outcome.cutAtMs)
  story.note(`the power of ${victim} is cut`, outcome.cutAtMs)
  for (const { unit, machine, afterMs } of outcome.replacements) {
    story.note(`${unit} runs on ${machine}`, outcome.cutAtMs + afterMs)
  }
  const lastMs = outcome.replacements.at(-1)?.afterMs ?? 0
  const seconds = (lastMs / 1000).toFixed(2)
  story.note(`all ${lost.length} lost containers run elsewhere, ${seconds} s after the cut`)
  for (const unit of waiting) story.note(`${unit} waits for ${victim}: its volume is there`)
  const status = await statusThat(rack, asked, 'another leads', (seen) => {
    return seen.leader !== null && seen.leader.name !== victim
  })
  story.note(`${leaderOf(status)} leads now, in term ${status.term}`)
  const settled = await rulesKept(scene, others)
  story.show(placementTable(units.keys(), others, settled.containers))
  story.note('every rule holds')
  return victim
}

function mostLoaded(names: readonly string[], containers: readonly SeenContainer[]): string {
  const count = (name: string): number =>
    containers.filter(({ machine }) => machine === name).length
  const bound = (name: string): number =>
    Number(containers.some((one) => one.machine === name && one.unit === 'only-here.service'))
  // Of two with as many, the one that has nothing which may run nowhere else.
  const [most] = names.toSorted((a, b) => count(b) - count(a) || bound(a) - bound(b))
  if (most === undefined) throw rackError('there is no host')
  return most
}

/** f. */
export async function powerOnStep(story: Story, scene: Scene, victim: string): Promise<void> {
  const { rack, units } = scene
  const names = hostNames(rack)
  const others = names.filter((name) => name !== victim)
  story.concerns(victim, ...others)
  const before = await healthy(rack, others)
  await rack.powerOn(victim)
  story.note(`${victim} has power again, and its engine answers`)
  // Asked of another: what the returned one remembers is from before the cut.
  await statusThat(rack, others[0] ?? '', `${victim} is ready again`, (seen) => {
    return readyMachines(seen).includes(victim) && votersOf(seen).includes(victim)
  })
  await allAgree(rack, names)
  story.note(`${victim} is back: ready, a voter, and tells what the others tell`)
  const settled = await rulesKept(scene, names)
  await noSuperseded(rack, victim, settled)
  story.note(`no superseded copy is left on ${victim}`)
  const after = await healthy(rack, others)
  for (const [id, started] of before) {
    if (after.get(id) === started) continue
    throw rackError(`${started}: it was healthy and was stopped or started again (${id})`)
  }
  story.note(`${before.size} healthy containers went on: the same ids, started when they were`)
  story.show(placementTable(units.keys(), names, settled.containers))
  story.note('every rule holds')
}

/** Container id → what it is, since when it runs, and as which process. */
export async function healthy(rack: Rack, hosts: readonly string[]): Promise<Map<string, string>> {
  const containers = (await containersOn(rack, hosts)).filter(isRunning)
  const entries = containers.map(async ({ id, unit, machine }) => {
    const { startedAt, pid } = await containerStart(await rack.initPid(machine), id)
    return [id, `${unit} on ${machine} since ${startedAt} as ${pid}`] as const
  })
  return new Map(await Promise.all(entries))
}

/** Not even a stopped one: whatever the engine still has belongs to what runs there. */
function noSuperseded(rack: Rack, host: string, settled: Settled): Promise<true> {
  const placed = settled.containers.filter(({ machine }) => machine === host)
  const mayBe = new Set(placed.map(({ unit }) => unit))
  let last = ''
  const wait = {
    what: `${host} has cleared away what it does not run any more`,
    timeoutMs: agreeTimeoutMs,
    evidence: async () => last,
  }
  return until(rack.clock, wait, async () => {
    const old = (await containersOn(rack, [host])).filter(({ unit }) => !mayBe.has(unit))
    last = old.map(({ unit, state }) => `${unit} is there, ${state}`).join('\n')
    return old.length === 0 ? true : undefined
  })
}

/** i. */
export async function downStep(
  story: Story,
  world: RackWorld,
  name: string,
  outside: { readonly before: OutsideSnapshot; readonly now: () => Promise<OutsideSnapshot> },
): Promise<void> {
  await rackDown(world, { name })
  story.note('the rack is down')
  const left = compareOutside(outside.before, await outside.now())
  if (left.length > 0) {
    const lines = left.map(({ kind, label }) => `${kind} ${label}`)
    throw rackError(`this was left behind:\n${lines.join('\n')}`)
  }
  story.note('no namespace, process, mount, interface or cgroup of it is left')
}
