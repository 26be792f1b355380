/** Many units of a cluster on a rack: started, waited for, looked at, changed one by one. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { UnitRow, UnitsAnswer } from '../../../src/node/api/answers.ts'
import { sleep } from '../../../src/ports/clock.ts'
import { answered } from './wakes.ts'
import { hostNames, jangada } from '../../../src/tools/rack/demo/scene.ts'
import { askNode, containersOn, isRunning } from '../../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { program } from '../../../src/tools/rack/cluster.ts'
import { rackError, until } from '../../../src/tools/rack/world.ts'

/**
 * Asked for by one command, once those before run: five engines that start two hundred containers each on two
 * cores get in each other's way until none answers.
 */
const batch = 25
const batchWithinMs = 300_000
const batchTriesMax = 3
const lookEveryMs = 500
const tellEvery = 100
/** None more runs for so long: it is of no use to wait on. */
const stallMs = 180_000
const missingTold = 10
/** An engine that has just started hundreds of containers is slow to list them. */
const listedWithinMs = 60_000
const changedWithinMs = 60_000

/**
 * Two processes that do nothing, and end at once when they are asked to. Without a network of their own: on one
 * kernel a thousand of those take most of an hour to come, and at rest they take nothing.
 */
const unit = `[Service]
Restart=always
TimeoutStopSec=5
ExecStart=/usr/bin/docker run --pull never --network none busybox:jangada sh -c 'trap "exit 0" TERM; \\
  while :; do sleep 1000000 & wait $$!; done'
`

export const unitNames = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `settled@${at + 1}.service`)

/** Resolves with how long it took until all of them ran. Throws `JGD_RACK` on a stall. */
export async function startAll(
  rack: Rack,
  names: readonly string[],
  say: (line: string) => void,
): Promise<number> {
  const [first = ''] = hostNames(rack)
  const file = path.join(rack.spec.stateDir, 'settled@.service')
  await writeFile(file, unit)
  await jangada(rack, first, 'submit', file)
  const startedMs = rack.clock.monotonicMs()
  for (let at = 0; at < names.length; at += batch) {
    await ask(rack, first, names.slice(at, at + batch))
    await untilAllRun(rack, names.slice(0, at + batch))
    if (at % tellEvery === 0) {
      const seconds = (rack.clock.monotonicMs() - startedMs) / 1000
      say(`${Math.min(at + batch, names.length)} run after ${seconds.toFixed(0)} s`)
    }
  }
  return rack.clock.monotonicMs() - startedMs
}

/** A busy cluster may be late with an answer; to ask again for what was asked for changes nothing. */
async function ask(rack: Rack, host: string, names: readonly string[]): Promise<void> {
  const words = [program, 'start', '--no-block', ...names]
  for (let tries = 1; ; tries += 1) {
    try {
      await rack.sh(host, words, { timeoutMs: batchWithinMs })
      return
    } catch (error) {
      if (tries === batchTriesMax) throw error
    }
  }
}

async function untilAllRun(rack: Rack, names: readonly string[]): Promise<void> {
  const { clock } = rack
  let [most, growsMs] = [-1, clock.monotonicMs()]
  for (;;) {
    const missing = await missingOf(rack, names)
    const nowMs = clock.monotonicMs()
    const running = missing === undefined ? most : names.length - missing.length
    if (running > most) [most, growsMs] = [running, nowMs]
    if (running === names.length) return
    if (nowMs - growsMs >= stallMs) throw stalled(most, names.length, missing ?? [])
    await sleep(clock, lookEveryMs)
  }
}

/** Those that do not run, as any node has it; undefined while none answers in time. */
async function missingOf(rack: Rack, names: readonly string[]): Promise<UnitRow[] | undefined> {
  const wanted = new Set(names)
  for (const host of hostNames(rack)) {
    try {
      const answer = await askNode(rack, host, 'GET', '/v1/units')
      const { units } = JSON.parse(answer) as UnitsAnswer
      return units.filter(({ name, active }) => wanted.has(name) && active !== 'active')
    } catch {
      // A busy node may be late; another may not be.
    }
  }
  return undefined
}

function stalled(running: number, all: number, missing: readonly UnitRow[]): Error {
  const lines = missing
    .slice(0, missingTold)
    .map(
      ({ name, active, sub, machineName, message }) =>
        `${name}: ${active} (${sub}) on ${machineName ?? 'no machine'}: ${message}`,
    )
  const more = missing.length > missingTold ? [`and ${missing.length - missingTold} more`] : []
  const what = `${running} of ${all} run, and none more for ${stallMs / 1000} s`
  return rackError([what, ...lines, ...more].join('\n'))
}

/** Every running container by its id, with the host that has it, as the engines say. */
export async function runningOn(rack: Rack): Promise<Map<string, string>> {
  const wait = { what: 'every engine lists its containers', timeoutMs: listedWithinMs }
  const all = await until(rack.clock, wait, () => containersOn(rack, hostNames(rack)))
  return new Map(all.filter(isRunning).map(({ id, machine }) => [id, machine]))
}

/** Has the unit run or not, and resolves when its engine says that it is so. */
export async function change(rack: Rack, name: string, to: 'stopped' | 'started'): Promise<void> {
  const [first = ''] = hostNames(rack)
  const desired = to === 'started' ? 'launched' : 'inactive'
  await answered(rack, () => askNode(rack, first, 'POST', `/v1/units/${name}/state`, { desired }))
  const wait = { what: `${name} is ${to}`, timeoutMs: changedWithinMs, pollMs: 200 }
  await until(rack.clock, wait, async () => {
    const containers = (await containersOn(rack, hostNames(rack))).filter(
      (one) => one.unit === name,
    )
    if (to === 'stopped') return containers.length === 0 ? true : undefined
    return containers.some(isRunning) ? true : undefined
  })
}
