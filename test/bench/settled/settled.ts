/**
 * A settled cluster: five hosts with many units, and nothing happens. What its nodes use then, beside
 * what the engines use for the same containers; and whom it wakes when one unit is changed.
 */
import { sleep } from '../../../src/ports/clock.ts'
import {
  hostNames,
  readyMachines,
  statusThat,
  votersOf,
} from '../../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { type Figure, median, worst } from '../figures.ts'
import { inRack } from '../rack.ts'
import { requireRoom } from './room.ts'
import { change, runningOn, startAll, unitNames } from './units.ts'
import { type HostUsage, type Kind, kinds, type Usage, usageOf } from './usage.ts'
import { answered, type Wakes, wakesOf, type Woken, whenQuiet, wokenBetween } from './wakes.ts'

const hostCount = 5
const voterCount = 3
/** After the last start, so that neither starting nor its garbage is in the figures. */
const calmMs = 30_000

export interface SettledOptions {
  readonly units: number
  readonly seconds: number
  readonly changes: number
}

/** What a host used while nothing happened. */
export interface HostRow {
  readonly host: string
  readonly role: string
  readonly units: number
  /** Of one processor, in percent. */
  readonly cpu: Readonly<Record<Kind, number>>
  readonly processes: HostUsage['processes']
  readonly memoryMb: number
  /** Kilobytes (1,000 bytes) a second. */
  readonly sentKb: number
  readonly receivedKb: number
  /** The log's. */
  readonly walKb: number
  readonly syncs: number
}

export interface Change {
  readonly what: string
  readonly woken: readonly Woken[]
}

export interface SettledReport extends SettledOptions {
  readonly startedInMs: number
  readonly hosts: readonly HostRow[]
  /** Transactions of the store while nothing happened. */
  readonly revisions: number
  /** Agents that were woken while nothing happened. */
  readonly wokenInCalm: readonly Woken[]
  readonly changed: readonly Change[]
  readonly figures: readonly Figure[]
}

export async function benchSettled(
  options: SettledOptions,
  say: (line: string) => void,
): Promise<SettledReport> {
  await requireRoom(options.units)
  return inRack({ hosts: hostCount }, async (rack) => {
    const [first = ''] = hostNames(rack)
    await statusThat(rack, first, 'five machines, three of them voters', (seen) => {
      return readyMachines(seen).length === hostCount && votersOf(seen).length === voterCount
    })
    const names = unitNames(options.units)
    const startedInMs = await startAll(rack, names, say)
    say(`all run after ${(startedInMs / 1000).toFixed(0)} s; ${calmMs / 1000} s of calm`)
    await sleep(rack.clock, calmMs)
    await whenQuiet(rack)
    const calm = await watchCalm(rack, options.seconds, say)
    const changed = await changeOneByOne(rack, names, options.changes, say)
    const report = { ...options, startedInMs, ...calm, changed }
    return { ...report, figures: figuresOf(report) }
  })
}

type Calm = Pick<SettledReport, 'hosts' | 'revisions' | 'wokenInCalm'>

/** Throws when anything but nothing happens. */
async function watchCalm(rack: Rack, seconds: number, say: (line: string) => void): Promise<Calm> {
  const containers = await runningOn(rack)
  say(`watching ${containers.size} containers for ${seconds} s`)
  const wakes = await wakesOf(rack)
  const fromMs = rack.clock.monotonicMs()
  const before = await usageOf(rack)
  await sleep(rack.clock, seconds * 1000)
  const after = await usageOf(rack)
  const tookMs = rack.clock.monotonicMs() - fromMs
  const now = await wakesOf(rack)
  const running = await runningOn(rack)
  const gone = [...containers.keys()].filter((id) => !running.has(id))
  if (gone.length > 0) throw new Error(`${gone.length} containers ended while nothing happened`)
  const roles = await rolesOf(rack)
  const unitsOn = (host: string): number => [...running.values()].filter((on) => on === host).length
  const hosts = hostNames(rack).map((host): HostRow => {
    const role = roles.get(host) ?? '?'
    const [then, later] = [wakes.get(host), now.get(host)]
    const perSecond = (of: 'walBytes' | 'walWrites'): number =>
      (((later?.[of] ?? NaN) - (then?.[of] ?? NaN)) * 1000) / tookMs
    const log = { walKb: perSecond('walBytes') / 1000, syncs: perSecond('walWrites') }
    return { host, role, units: unitsOn(host), ...spent(before, after, host, tookMs), ...log }
  })
  return {
    hosts,
    revisions: revisionsOf(now) - revisionsOf(wakes),
    wokenInCalm: wokenBetween(wakes, now),
  }
}

const revisionsOf = (wakes: Wakes): number =>
  Math.max(...[...wakes.values()].map(({ revision }) => revision))

async function rolesOf(rack: Rack): Promise<ReadonlyMap<string, string>> {
  const { leader, members } = await answered(rack, () => statusOf(rack, hostNames(rack)[0] ?? ''))
  return new Map(
    members.map(({ name, role }) => [
      name,
      name === leader?.name ? 'leader' : role === 'voter' ? 'voter' : 'standby',
    ]),
  )
}

function spent(
  before: Usage,
  after: Usage,
  host: string,
  tookMs: number,
): Omit<HostRow, 'host' | 'role' | 'units' | 'walKb' | 'syncs'> {
  const [then, now] = [before.get(host), after.get(host)]
  if (then === undefined || now === undefined) throw new Error(`${host} was not looked at`)
  const kbPerSecond = (bytes: (usage: HostUsage) => number): number =>
    (bytes(now) - bytes(then)) / tookMs
  const cpu = (kind: Kind): number => (100 * (now.cpuMs[kind] - then.cpuMs[kind])) / tookMs
  return {
    cpu: Object.fromEntries(kinds.map((kind) => [kind, cpu(kind)])) as HostRow['cpu'],
    processes: now.processes,
    memoryMb: now.memoryBytes / 1e6,
    sentKb: kbPerSecond((usage) => usage.sentBytes),
    receivedKb: kbPerSecond((usage) => usage.receivedBytes),
  }
}

/** One unit stopped, the next time started again, each from another part of the list. */
async function changeOneByOne(
  rack: Rack,
  names: readonly string[],
  count: number,
  say: (line: string) => void,
): Promise<Change[]> {
  const changes: Change[] = []
  const pairs = Math.ceil(count / 2)
  let before = await whenQuiet(rack)
  for (let at = 0; at < count; at += 1) {
    const pair = Math.floor(at / 2)
    // Names go round the hosts in turn, and so does this.
    const name = names[(Math.floor((pair * names.length) / pairs) + pair) % names.length] ?? ''
    const to = at % 2 === 0 ? 'stopped' : 'started'
    await change(rack, name, to)
    const after = await whenQuiet(rack)
    const woken = wokenBetween(before, after)
    before = after
    changes.push({ what: `${name} ${to}`, woken })
    const told = woken.map(({ host, looks, calls }) => `${host} (${looks} looks, ${calls} calls)`)
    say(`change ${at + 1} of ${count}: ${name} ${to}: ${told.join(' and ') || 'nobody woken'}`)
  }
  return changes
}

function figuresOf(report: Omit<SettledReport, 'figures'>): Figure[] {
  const { hosts, changed, units, seconds } = report
  const told = (name: string, unit: Figure['unit'], value: number, goal = Infinity): Figure => ({
    ...{ name, unit, value, goal, samples: [value] },
  })
  const sum = (of: (row: HostRow) => number): number => hosts.reduce((all, row) => all + of(row), 0)
  const woken = changed.map((one) => one.woken.length)
  const looks = changed.flatMap((one) => one.woken.map((agent) => agent.looks))
  const calls = changed.flatMap((one) => one.woken.map((agent) => agent.calls))
  const all = { value: NaN, goal: Infinity } as const
  return [
    told(`${units} units run after`, 's', report.startedInMs / 1000),
    ...hosts.map((row) => told(`jangada on ${row.host}, ${row.role}`, '%', row.cpu.jangada)),
    ...kinds.map((kind) =>
      told(
        `${kind} on all hosts`,
        '%',
        sum(({ cpu }) => cpu[kind]),
      ),
    ),
    told('a node, resident, the largest', 'MB', Math.max(...hosts.map((row) => row.memoryMb))),
    told(
      'sent by all hosts',
      'KB/s',
      sum((row) => row.sentKb),
    ),
    told(
      'written to all logs',
      'KB/s',
      sum((row) => row.walKb),
    ),
    told('syncs of all logs a minute', '', sum((row) => row.syncs) * 60),
    told('transactions a minute', '', (report.revisions * 60) / seconds),
    told('agents woken while nothing happened', '', report.wokenInCalm.length, 0),
    {
      ...all,
      name: 'agents woken by a change, most',
      unit: '',
      value: worst(woken),
      goal: 1,
      samples: woken,
    },
    {
      ...all,
      name: 'changes that woke nobody',
      unit: '',
      value: woken.filter((n) => n === 0).length,
      goal: 0,
      samples: woken,
    },
    { ...all, name: 'looks of that agent, median', unit: '', value: median(looks), samples: looks },
    {
      ...all,
      name: 'its calls to its engine, median',
      unit: '',
      value: median(calls),
      samples: calls,
    },
  ]
}
