/**
 * Three racked nodes while every processor is fought over at the nodes' own nice level: does anybody
 * stand for election, and how long do writes take? A term that rises is an election, whoever won it;
 * who asked for votes beforehand and was not given them is counted as well, from the nodes' logs.
 *
 * The load runs inside the hosts, a part in each: a nice level counts among the processes of one
 * control group, and each host has its own.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { agentService } from '../../src/tools/rack/cluster.ts'
import { statusThat, votersOf } from '../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { openHttp } from './consensus/http-connection.ts'
import { type Figure, quantile } from './figures.ts'
import { inRack } from './rack.ts'

/** Burners in each of the three hosts; four together. */
const burnersIn = [2, 1, 1]
const lookEveryMs = 1000
const writeEveryMs = 100
/** After all three are voters, so that joining is not in the figures. */
const settleMs = 5000

interface Spell {
  readonly name: string
  readonly elections: number
  /** How often somebody asked whether he would be elected. */
  readonly preVotes: number
  readonly leaders: ReadonlySet<string>
  readonly writesMs: readonly number[]
  readonly failed: number
}

export function benchCalm(
  minutes: number,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  return inRack({ hosts: 3 }, async (rack) => {
    const [first = ''] = rack.spec.hosts.map(({ name }) => name)
    await statusThat(rack, first, 'three voters', (seen) => votersOf(seen).length === 3)
    await pause(settleMs)
    const quiet = await spell(rack, 'with nothing else', 15_000, say)
    const nice = await niceOfNodes(rack)
    say(`stress-ng --cpu ${burnersIn.join(' + ')} at nice ${nice}, for ${minutes} min`)
    const [busy] = await Promise.all([
      spell(rack, 'under full load', minutes * 60_000, say),
      ...rack.spec.hosts.map(({ name }, at) => burn(rack, name, burnersIn[at] ?? 0, nice, minutes)),
    ])
    return [...figuresOf(quiet), ...figuresOf(busy)]
  })
}

/** Resolves when it is over. Rejects with JGD_RACK. */
async function burn(
  rack: Rack,
  host: string,
  cpus: number,
  nice: number,
  minutes: number,
): Promise<void> {
  const stress = ['stress-ng', '--cpu', String(cpus), '--timeout', `${minutes * 60}s`]
  const timeoutMs = minutes * 60_000 + 30_000
  await rack.sh(host, ['nice', '-n', String(nice), ...stress], { timeoutMs })
}

/** The nice level that all nodes run at. */
async function niceOfNodes(rack: Rack): Promise<number> {
  const levels = await Promise.all(
    rack.spec.hosts.map(async ({ name }) => {
      const pid = await rack.servicePid(name, agentService)
      return Number(await rack.sh(name, ['ps', '-o', 'ni=', '-p', String(pid)]))
    }),
  )
  const [level = NaN] = levels
  if (!levels.every((one) => one === level)) {
    throw new Error(`the nodes run at several nice levels: ${levels.join(', ')}`)
  }
  return level
}

async function spell(
  rack: Rack,
  name: string,
  ms: number,
  say: (line: string) => void,
): Promise<Spell> {
  const hosts = rack.spec.hosts.map((host) => host.name)
  const [asked = ''] = hosts
  const untilMs = performance.now() + ms
  const before = await highestTerm(rack, hosts)
  const preVotesBefore = await preVotesOf(rack, hosts)
  const [leaders, writes] = await Promise.all([
    watchLeaders(rack, hosts, untilMs),
    writeUntil(rack, asked, untilMs),
  ])
  const elections = (await highestTerm(rack, hosts)) - before
  const preVotes = (await preVotesOf(rack, hosts)) - preVotesBefore
  const p99 = quantile(writes.tookMs, 0.99).toFixed(0)
  say(
    `${name}: ${elections} elections, ${preVotes} pre-votes, ` +
      `${writes.tookMs.length} writes, p99 ${p99} ms`,
  )
  return { name, elections, preVotes, leaders, writesMs: writes.tookMs, failed: writes.failed }
}

/** Since the nodes were started. */
async function preVotesOf(rack: Rack, hosts: readonly string[]): Promise<number> {
  const logs = await Promise.all(hosts.map((host) => rack.logs(host, agentService, Infinity)))
  return logs.join('\n').split('"role":"preCandidate"').length - 1
}

async function highestTerm(rack: Rack, hosts: readonly string[]): Promise<number> {
  const all = await Promise.all(hosts.map((host) => statusOf(rack, host)))
  return Math.max(...all.map(({ term }) => term))
}

/** Everybody who was said to lead, by anybody. */
async function watchLeaders(
  rack: Rack,
  hosts: readonly string[],
  untilMs: number,
): Promise<ReadonlySet<string>> {
  const seen = new Set<string>()
  for (let at = 0; performance.now() < untilMs; at += 1) {
    const answer = await statusOf(rack, hosts[at % hosts.length] ?? '').catch(() => undefined)
    if (answer !== undefined) seen.add(answer.leader?.name ?? 'nobody')
    await pause(lookEveryMs)
  }
  return seen
}

async function writeUntil(
  rack: Rack,
  host: string,
  untilMs: number,
): Promise<{ readonly tookMs: number[]; readonly failed: number }> {
  const path = `/proc/${await rack.initPid(host)}/root/run/jangada/jangada.sock`
  const connection = await openHttp({ kind: 'socket', path }, undefined)
  const tookMs: number[] = []
  let failed = 0
  try {
    while (performance.now() < untilMs) {
      const fromMs = performance.now()
      const ok = await connection.request({
        keys: [`calm-${tookMs.length % 100}`],
        value: 'written',
      })
      if (ok) tookMs.push(performance.now() - fromMs)
      else failed += 1
      await pause(writeEveryMs)
    }
  } finally {
    connection.close()
  }
  return { tookMs, failed }
}

/** Only elections and refused writes have a goal; how long writes took is told beside. */
function figuresOf({ name, elections, preVotes, leaders, writesMs, failed }: Spell): Figure[] {
  const figure = (what: string, unit: Figure['unit'], value: number, goal: number): Figure => {
    const samples = unit === 'ms' ? writesMs : [value]
    return { name: `${name}: ${what}`, unit, value, goal, samples }
  }
  return [
    figure('elections', '', elections, 0),
    figure('pre-votes', '', preVotes, Infinity),
    figure('leaders', '', leaders.size, 1),
    figure('writes refused', '', failed, 0),
    figure('write, median', 'ms', quantile(writesMs, 0.5), Infinity),
    figure('write, p99', 'ms', quantile(writesMs, 0.99), Infinity),
    figure('write, longest', 'ms', Math.max(...writesMs), Infinity),
  ]
}
