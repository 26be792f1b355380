/**
 * Two hundred units on five hosts, and every half minute a host is lost for a quarter of one: its power
 * cut, or its cable pulled. In the end, when it is quiet, everything runs once.
 *
 *     npm run test:long -- storm [--units 200] [--hosts 5] [--minutes 10] [--seed N]      (as root)
 */
import { parseArgs } from 'node:util'
import { isJangadaError } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { sleep } from '../../src/ports/clock.ts'
import { hostNames, jangada, readyMachines } from '../../src/tools/rack/demo/scene.ts'
import { containersOn, isRunning, statusOf } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { until } from '../../src/tools/rack/world.ts'
import { buildFirst, inRack } from '../bench/rack.ts'
import { People, unitFile } from '../scenarios/people.ts'

const { values: given } = parseArgs({
  options: {
    units: { type: 'string', default: '200' },
    hosts: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
})
const random = new SeededRandom(Number(given.seed))

const lossEveryMs = 30_000
const awayMs = 15_000
const lookEveryMs = 500
/** How often a host whose engine does not answer in its time is waited for again. */
const patience = 4
/** With fewer it would be a cluster without a majority, and nothing to see. */
const presentMin = 4
/** Two slow cores start about four containers a second, and returning engines take them too. */
const settleTimeoutMs = 600_000
/** As long as it must stay as it is, once everything runs once. */
const quietMs = 20_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** What an engine does for a network of their own is not what this is about, and takes most of its time. */
const fileWith = (rules: string): string =>
  unitFile(rules, { flags: '--pull never --network none' })

/** Pairs, and five that shun each other, among many that may be anywhere. */
function unitFiles(count: number): Map<string, string> {
  const plain = fileWith('')
  const files = new Map<string, string>()
  for (let at = 1; at <= 5; at += 1)
    files.set(`shy-${at}.service`, fileWith('Conflicts=shy-*.service'))
  for (let at = 1; at <= 15; at += 1) {
    files.set(`main-${at}.service`, plain)
    files.set(`aide-${at}.service`, fileWith(`MachineOf=main-${at}.service`))
  }
  for (let at = files.size + 1; at <= count; at += 1) files.set(`job-${at}.service`, plain)
  return files
}

/** How often each unit runs on these hosts. */
async function copiesOn(rack: Rack, hosts: readonly string[]): Promise<Map<string, string[]>> {
  const running = (await containersOn(rack, hosts)).filter(isRunning)
  const copies = new Map<string, string[]>()
  for (const { unit, machine } of running) {
    const at = copies.get(unit) ?? []
    if (at.includes(machine)) throw new Error(`${unit} runs twice on ${machine}`)
    copies.set(unit, [...at, machine])
  }
  return copies
}

/** Resolves with how long it took until all of them run, once each. */
async function allOnce(rack: Rack, units: readonly string[]): Promise<number> {
  const startedMs = rack.clock.monotonicMs()
  let last = ''
  const wait = {
    what: 'everything runs once',
    timeoutMs: settleTimeoutMs,
    pollMs: lookEveryMs,
    evidence: async () => last,
  }
  await until(rack.clock, wait, async () => {
    const copies = await copiesOn(rack, hostNames(rack))
    const wrong = units.filter((unit) => copies.get(unit)?.length !== 1)
    last = wrong
      .map((unit) => `${unit}: ${copies.get(unit)?.join(' and ') ?? 'nowhere'}`)
      .join('\n')
    return wrong.length === 0 && copies.size === units.length ? true : undefined
  })
  return rack.clock.monotonicMs() - startedMs
}

interface Loss {
  readonly units: number
  /** Until the last of them ran elsewhere; undefined when some did not while the host was away. */
  readonly elsewhereMs: number | undefined
}

/** Hosts that are on their way back: an engine with many containers of before takes its time. */
const returning = new Map<string, Promise<void>>()

const present = (rack: Rack): string[] => hostNames(rack).filter((host) => !returning.has(host))

/** A host that is on already is waited for anew. */
async function powerOn(rack: Rack, host: string): Promise<void> {
  for (let left = patience; ; left -= 1) {
    try {
      return await rack.powerOn(host)
    } catch (error) {
      if (left === 0 || !isJangadaError(error, 'JGD_RACK')) throw error
      say(`${host}: its engine still clears away what ran before`)
    }
  }
}

function bringBack(rack: Rack, host: string, kind: 'power' | 'cable'): void {
  const back = (kind === 'power' ? powerOn(rack, host) : rack.join(host)).finally(() =>
    returning.delete(host),
  )
  // Whoever waits for it hears of a failure.
  back.catch(() => undefined)
  returning.set(host, back)
}

/** One of the three with most units, so that something is lost each time. */
async function pickVictim(rack: Rack): Promise<string> {
  const hosts = present(rack)
  const copies = await copiesOn(rack, hosts)
  const count = (host: string): number =>
    [...copies.values()].filter((places) => places.includes(host)).length
  return random.pick(hosts.toSorted((a, b) => count(b) - count(a)).slice(0, 3))
}

async function loseOne(rack: Rack, kind: 'power' | 'cable'): Promise<Loss> {
  const victim = await pickVictim(rack)
  const others = present(rack).filter((host) => host !== victim)
  const running = (await containersOn(rack, [victim])).filter(isRunning).map(({ unit }) => unit)
  // With fewer hosts than there are of them, one of the shy finds no place.
  const lost = running.filter((unit) => !unit.startsWith('shy-'))
  const atMs = rack.clock.monotonicMs()
  if (kind === 'power') await rack.powerOff(victim)
  else await rack.cut(victim)
  let elsewhereMs: number | undefined
  while (rack.clock.monotonicMs() - atMs < awayMs) {
    if (elsewhereMs === undefined) {
      const copies = await copiesOn(rack, others)
      if (lost.every((unit) => copies.has(unit))) elsewhereMs = rack.clock.monotonicMs() - atMs
    }
    await sleep(rack.clock, lookEveryMs)
  }
  bringBack(rack, victim, kind)
  const took = elsewhereMs === undefined ? 'not all elsewhere' : `${seconds(elsewhereMs)} s`
  say(`${victim}, ${kind}: ${lost.length} units, ${took}`)
  return { units: lost.length, elsewhereMs }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)

async function storm(rack: Rack): Promise<void> {
  const people = new People(rack, 'n1')
  const files = unitFiles(Number(given.units))
  for (const [name, file] of files) await people.start(name, file)
  const units = [...files.keys()]
  say(`${units.length} units run after ${seconds(await allOnce(rack, units))} s`)
  const endMs = rack.clock.monotonicMs() + Number(given.minutes) * 60_000
  const losses: Loss[] = []
  for (let nextMs = rack.clock.monotonicMs(); nextMs < endMs; nextMs += lossEveryMs) {
    await sleep(rack.clock, Math.max(0, nextMs - rack.clock.monotonicMs()))
    while (present(rack).length < presentMin) await Promise.race(returning.values())
    losses.push(await loseOne(rack, random.chance(0.5) ? 'power' : 'cable'))
  }
  await Promise.all(returning.values())
  const settledMs = await allOnce(rack, units)
  const before = await copiesOn(rack, hostNames(rack))
  const [first = ''] = hostNames(rack)
  await sleep(rack.clock, quietMs)
  const after = await copiesOn(rack, hostNames(rack))
  const moved = units.filter((unit) => before.get(unit)?.join() !== after.get(unit)?.join())
  if (moved.length > 0) throw new Error(`in the quiet these moved: ${moved.join(', ')}`)
  const ready = readyMachines(await statusOf(rack, first))
  if (ready.length !== hostNames(rack).length) throw new Error(`ready: ${ready.join(', ')}`)
  const events = await jangada(rack, first, 'events', '--json')
  tellTotals(losses, settledMs, (events.match(/placement\.stuck/g) ?? []).length)
}

function tellTotals(losses: readonly Loss[], settledMs: number, stuck: number): void {
  const took = losses.flatMap(({ elsewhereMs }) => elsewhereMs ?? []).toSorted((a, b) => a - b)
  const units = losses.reduce((sum, { units: each }) => sum + each, 0)
  say(
    `seed ${given.seed}: ${losses.length} hosts lost with ${units} units; all elsewhere within ` +
      `the ${awayMs / 1000} s in ${took.length} of them, median ${seconds(took[took.length >> 1] ?? 0)} s, ` +
      `longest ${seconds(took.at(-1) ?? 0)} s; once each ${seconds(settledMs)} s after the last; ` +
      `nothing moved in ${quietMs / 1000} s of quiet; ${stuck} plans refused by the checker`,
  )
}

await buildFirst()
await inRack({ hosts: Number(given.hosts) }, storm)
