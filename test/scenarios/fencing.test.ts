/**
 * `Fencing=stop` on three hosts with real engines and a real fencer: what the containers themselves wrote
 * down, of when they ran, on the one clock that all hosts of a rack share.
 */
import t from 'tap'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { jangada, statusThat, votersOf } from '../../src/tools/rack/demo/scene.ts'
import { until } from '../../src/tools/rack/world.ts'
import { stage } from './stage.ts'

t.setTimeout(300_000)

const hosts = ['n1', 'n2', 'n3']
/** Lines come every 30 ms; a busy machine may leave some out. */
const gapSeconds = 0.7

const file = (trace: string, rules: string): string => `[Service]
Restart=always
RestartSec=1
ExecStart=/usr/bin/docker run --pull never -v /run/trace:/trace busybox:jangada sh -c 'while sleep 0.03; do cat /proc/uptime >> /trace/${trace}; done'

[X-Fleet]
${rules}
`

const rack = await stage(t, { hosts: 3, cluster: {} })
await statusThat(rack, 'n1', 'three voters', (status) => votersOf(status).length === 3)
const directory = t.testdir()
for (const [name, rules] of [
  ['alone', 'Fencing=stop'],
  ['keeps', 'Fencing=keep'],
] as const) {
  const unit = path.join(directory, `${name}.service`)
  await writeFile(unit, file(name, rules))
  await jangada(rack, 'n1', 'start', unit)
}

/** When it wrote there, in seconds since the computer started. */
async function traceOf(host: string, name: string): Promise<number[]> {
  const { stdout } = await rack.exec(host, ['cat', `/run/trace/${name}`])
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [Number(line.split(' ')[0])]))
}

interface Run {
  readonly host: string
  readonly from: number
  readonly to: number
}

async function runsOf(name: string, among = hosts): Promise<Run[]> {
  const runs: Run[] = []
  for (const host of among) {
    let run: { host: string; from: number; to: number } | undefined
    for (const at of await traceOf(host, name)) {
      if (run === undefined || at - run.to > gapSeconds) {
        run = { host, from: at, to: at }
        runs.push(run)
      } else run.to = at
    }
  }
  return runs.toSorted((a, b) => a.from - b.from)
}

/** Pairs of runs on different hosts that were at the same time, since `since`. */
async function overlaps(since: number): Promise<string[]> {
  const runs = (await runsOf('alone')).filter(({ to }) => to >= since)
  return runs.flatMap((a, at) =>
    runs
      .slice(at + 1)
      .filter((b) => a.host !== b.host && a.from <= b.to && b.from <= a.to)
      .map((b) => `${a.host} ${a.from}-${a.to} and ${b.host} ${b.from}-${b.to}`),
  )
}

/** The computer's clock is that of every host, and asks none that stands still. */
const now = async (): Promise<number> =>
  Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0])

/** The last to have written, and not long ago, on one of `among`. */
function runner(what: string, since: number, among = hosts): Promise<string> {
  return until(rack.clock, { what, timeoutMs: 40_000, pollMs: 200 }, async () => {
    for (const host of among) {
      const last = (await traceOf(host, 'alone')).at(-1) ?? 0
      if (last > since && last > (await now()) - 1) return host
    }
    return undefined
  })
}

/** Does `fault` to the host of the unit, sees it go on elsewhere, ends the fault, and looks back. */
async function story(
  fault: (host: string) => Promise<void>,
  end: (host: string) => Promise<void>,
): Promise<{ readonly old: string; readonly endedAt: number }> {
  const begun = await now()
  const old = await runner('it runs', begun)
  await fault(old)
  const faultAt = await now()
  const others = hosts.filter((host) => host !== old)
  const next = await runner('it runs elsewhere', faultAt, others)
  const started = (await runsOf('alone', [next])).find(({ from }) => from > faultAt)
  t.comment(`on ${next} ${((started?.from ?? 0) - faultAt).toFixed(2)} s after the fault`)
  const endedAt = await now()
  await end(old)
  await statusThat(rack, others[0] ?? '', `${old} is ready`, ({ machines }) =>
    machines.every(({ status }) => status === 'ready'),
  )
  await runner('it still runs', await now(), others)
  return { old, endedAt }
}

await t.test('its host is cut off: never twice; what keeps is never touched', async (t) => {
  const since = await now()
  const keeper = (await runsOf('keeps')).at(-1)?.host
  await story(
    (host) => rack.cut(host),
    (host) => rack.join(host),
  )
  t.same(await overlaps(since), [])
  const kept = (await runsOf('keeps')).filter(({ host, to }) => host === keeper && to >= since)
  t.equal(kept.length, 1, 'one run without a gap')
})

await t.test('its agent stands still', async (t) => {
  const since = await now()
  await story(
    (host) => rack.signalService(host, 'jangada', 'STOP'),
    (host) => rack.signalService(host, 'jangada', 'CONT'),
  )
  t.same(await overlaps(since), [])
})

await t.test('its engine stands still, its agent is killed, and it is cut off', async (t) => {
  const since = await now()
  await story(
    async (host) => {
      await rack.signalService(host, 'dockerd', 'STOP')
      await rack.cut(host)
      await rack.signalService(host, 'jangada', 'KILL')
    },
    async (host) => {
      await rack.signalService(host, 'dockerd', 'CONT')
      await rack.join(host)
    },
  )
  t.same(await overlaps(since), [])
})

await t.test('the whole host stands still: the stale copy is dead soon after', async (t) => {
  const since = await now()
  const { old, endedAt } = await story(
    (host) => rack.freeze(host),
    (host) => rack.thaw(host),
  )
  const last = (await traceOf(old, 'alone')).at(-1) ?? 0
  t.comment(`it wrote until ${(last - endedAt).toFixed(2)} s after the thaw was asked for`)
  const stale = (await runsOf('alone')).filter(({ host, from }) => host === old && from > since + 1)
  t.ok(stale.length <= 1, 'it ran there once more at most, before it was stopped')
  const { events } = await statusThat(rack, 'n1', 'it is told', (seen) =>
    seen.events.some(({ kind }) => kind === 'unit.overlap'),
  )
  t.ok(events.some(({ message }) => message.includes('alone.service')))
})
