/**
 * Power cuts in a cluster of three: how long until the last of six lost containers runs elsewhere,
 * and, when the machine led, until a write is committed again. Every other cut takes the leader.
 *
 * Twelve units on three hosts: after the first cut two hosts have six each and the third, which
 * was away, none. Each cut then loses six, and all six go to one engine, the empty one.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { sleep } from '../../src/ports/clock.ts'
import { cutAndWatch, movable } from '../../src/tools/rack/demo/failover.ts'
import {
  expectUnits,
  hostNames,
  jangada,
  makeLeader,
  readyMachines,
  rulesKept,
  type Scene,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { askNode, containersOn, isRunning } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { until } from '../../src/tools/rack/world.ts'
import { startAlone } from './engine-alone.ts'
import { type Figure, median, medianAndWorst } from './figures.ts'
import { swarmCuts } from './failover-swarm.ts'
import { inRack } from './rack.ts'

/** Of the engine alone, before the first cut. */
const aloneRounds = 5
const unitCount = 12
const lostCount = 6
/** Between the beginnings of two tries to write. */
const writeEveryMs = 20
const writesMax = 500
/** After everything is as it was, so that no cut meets the work of the one before. */
const calmMs = 2000

const probe = `[Service]
ExecStart=/usr/bin/docker run busybox:jangada true
`

export function benchFailover(
  { cuts, swarm }: { readonly cuts: number; readonly swarm: number },
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  return inRack({ hosts: 3 }, async (rack) => {
    const alone: number[] = []
    for (let round = 0; round < aloneRounds; round += 1) {
      alone.push((await startAlone(rack, hostNames(rack)[0] ?? '', lostCount)) / 1000)
    }
    say(`the engine alone starts ${lostCount} containers in ${median(alone).toFixed(2)} s`)
    const scene = await prepare(rack)
    const elsewhere: number[] = []
    const writes: number[] = []
    // One more, which is not counted: it makes the even spread into six, six and none.
    for (let cut = 0; cut <= cuts; cut += 1) {
      const outcome = await cutOnce(scene, cut)
      const told =
        outcome.writeMs === undefined ? '' : `, a write in ${outcome.writeMs.toFixed(0)} ms`
      const lost = `${outcome.lost} containers in ${(outcome.lastMs / 1000).toFixed(2)} s`
      say(`cut ${cut} of ${cuts}: ${outcome.victim} (${outcome.role}): ${lost}${told}`)
      if (cut === 0) continue
      elsewhere.push(outcome.lastMs / 1000)
      if (outcome.writeMs !== undefined) writes.push(outcome.writeMs)
    }
    const peer = swarm === 0 ? [] : await besideSwarm(scene, swarm, elsewhere, say)
    return [
      ...peer,
      ...medianAndWorst('six containers started by an engine alone', 's', alone, {
        ...{ median: Infinity, worst: Infinity },
      }),
      ...medianAndWorst('power cut → last of six containers elsewhere', 's', elsewhere, {
        ...{ median: 3, worst: 5 },
      }),
      ...medianAndWorst('leader lost → next committed write', 'ms', writes, {
        ...{ median: 350, worst: 600 },
      }),
    ]
  })
}

/** Its figures have no goal; the ratio to ours is what counts. */
async function besideSwarm(
  { rack, units }: Scene,
  cuts: number,
  ours: readonly number[],
  say: (line: string) => void,
): Promise<Figure[]> {
  const hosts = hostNames(rack)
  const [first = ''] = hosts
  await jangada(rack, first, 'destroy', ...units.keys())
  await until(rack.clock, { what: 'our units are gone', timeoutMs: 60_000 }, async () =>
    (await containersOn(rack, hosts)).length === 0 ? true : undefined,
  )
  for (const host of hosts) await rack.stopService(host, 'jangada')
  const outcomes = await swarmCuts(rack, cuts, say)
  const none = { median: Infinity, worst: Infinity }
  return (['follower', 'leader'] as const).flatMap((role) => {
    const samples = outcomes.filter((each) => each.role === role).map(({ lastMs }) => lastMs / 1000)
    if (samples.length === 0) return []
    const ratio = (median(samples) / median(ours)).toFixed(1)
    say(`Docker Swarm, a ${role} cut: ${median(samples).toFixed(2)} s, ${ratio} times ours`)
    return medianAndWorst(`Docker Swarm, ${role} cut → last of six elsewhere`, 's', samples, none)
  })
}

async function prepare(rack: Rack): Promise<Scene> {
  const scene: Scene = { rack, units: new Map() }
  const [first = ''] = hostNames(rack)
  const hello = path.join(import.meta.dirname, '../../examples/hello@.service')
  const names = Array.from({ length: unitCount }, (_, at) => `hello@${at + 1}.service`)
  await expectUnits(scene.units, hello, names)
  const file = path.join(rack.spec.stateDir, 'probe@.service')
  await writeFile(file, probe)
  await jangada(rack, first, 'submit', hello, file)
  await jangada(rack, first, 'start', ...names)
  await rulesKept(scene, hostNames(rack))
  return scene
}

interface CutOutcome {
  readonly victim: string
  readonly role: 'leader' | 'follower'
  readonly lost: number
  readonly lastMs: number
  readonly writeMs: number | undefined
}

async function cutOnce(scene: Scene, cut: number): Promise<CutOutcome> {
  const { rack } = scene
  const names = hostNames(rack)
  const role = cut % 2 === 0 ? 'follower' : 'leader'
  const counts = await load(rack, names)
  const busy = names.filter((name) => cut === 0 || counts.get(name) === lostCount)
  // Of each role, now one and now the other of the two that are busy.
  const victim = busy[Math.floor(cut / 2) % busy.length]
  if (victim === undefined) throw new Error(`no host has ${lostCount} containers`)
  const others = names.filter((name) => name !== victim)
  const [asked = ''] = others
  const leader = role === 'leader' ? victim : asked
  await makeLeader(rack, leader, asked)
  await sleep(rack.clock, calmMs)
  await makeLeader(rack, leader, asked)

  const containers = (await containersOn(rack, [victim])).filter(isRunning)
  const lost = containers
    .map(({ unit }) => unit)
    .filter((unit) => {
      const rules = scene.units.get(unit)
      return rules !== undefined && movable(rules)
    })
  const written = role === 'leader' ? new Writes(rack, others[1] ?? '', cut) : undefined
  const { replacements, cutAtMs } = await cutAndWatch(rack, victim, others, lost, (atMs) => {
    written?.stopAtFirstAfter(atMs)
  })
  const writtenAtMs = await written?.first()
  await recover(scene, victim, others)
  return {
    ...{ victim, role, lost: lost.length },
    lastMs: replacements.at(-1)?.afterMs ?? NaN,
    writeMs: writtenAtMs === undefined ? undefined : writtenAtMs - cutAtMs,
  }
}

async function recover(scene: Scene, victim: string, others: readonly string[]): Promise<void> {
  const { rack } = scene
  await rack.powerOn(victim)
  await statusThat(rack, others[0] ?? '', `${victim} returns`, (seen) => {
    return readyMachines(seen).includes(victim) && votersOf(seen).includes(victim)
  })
  await rulesKept(scene, hostNames(rack))
}

async function load(rack: Rack, names: readonly string[]): Promise<Map<string, number>> {
  const running = (await containersOn(rack, names)).filter(isRunning)
  const count = (name: string): number => running.filter(({ machine }) => machine === name).length
  return new Map(names.map((name) => [name, count(name)]))
}

/**
 * Writes to one node, a new one every few milliseconds whatever became of those before, and none
 * any more when one that began after the cut is committed: containers are starting then.
 */
class Writes {
  readonly #rack: Rack
  readonly #committed: { readonly beganMs: number; readonly endedMs: number }[] = []
  #cutAtMs = Infinity

  constructor(rack: Rack, host: string, cut: number) {
    this.#rack = rack
    void this.#run(host, cut)
  }

  stopAtFirstAfter(cutAtMs: number): void {
    this.#cutAtMs = cutAtMs
  }

  /** When the first write that began after the cut was acknowledged. */
  async first(): Promise<number> {
    for (;;) {
      const after = this.#committed.filter(({ beganMs }) => beganMs >= this.#cutAtMs)
      if (after.length > 0) return Math.min(...after.map(({ endedMs }) => endedMs))
      await sleep(this.#rack.clock, writeEveryMs)
    }
  }

  async #run(host: string, cut: number): Promise<void> {
    const { clock } = this.#rack
    for (let number = 0; number < writesMax; number += 1) {
      const beganMs = clock.monotonicMs()
      if (this.#committed.some((write) => write.beganMs >= this.#cutAtMs)) return
      const unit = `/v1/units/probe@${cut}-${number}.service`
      askNode(this.#rack, host, 'PUT', unit, { desired: 'inactive' }).then(
        () => this.#committed.push({ beganMs, endedMs: clock.monotonicMs() }),
        () => undefined,
      )
      await sleep(clock, writeEveryMs)
    }
  }
}
