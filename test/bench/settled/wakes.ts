/** How often each agent was woken, and what it asked of its engine: the counters of its `/metrics`. */
import { sleep } from '../../../src/ports/clock.ts'
import { hostNames } from '../../../src/tools/rack/demo/scene.ts'
import { askNode } from '../../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { rackError, until } from '../../../src/tools/rack/world.ts'

/** Nothing but the clock has woken anybody for so long: the change is over. */
const quietMs = 2000
const lookEveryMs = 500
const quietWithinMs = 120_000
const answeredWithinMs = 30_000

interface Counters {
  /** Comparisons of what should run with what runs; those that the clock asks for are not in it. */
  readonly looks: number
  /** Whole lists that the clock asks for are not in it. */
  readonly calls: number
  /** Calls that change something, or ask for one thing. */
  readonly otherCalls: number
  readonly revision: number
  /** Of the log: writes, each with a sync, and their bytes. */
  readonly walWrites: number
  readonly walBytes: number
}

export type Wakes = ReadonlyMap<string, Counters>

/** A long run is not given up for one late answer. `ask` may be asked again. */
export const answered = <T>(rack: Rack, ask: () => Promise<T>): Promise<T> =>
  until(rack.clock, { what: 'a node answers', timeoutMs: answeredWithinMs, pollMs: 200 }, ask)

export async function wakesOf(rack: Rack): Promise<Wakes> {
  const rows = hostNames(rack).map(async (host): Promise<[string, Counters]> => {
    return [host, countersIn(await answered(rack, () => askNode(rack, host, 'GET', '/metrics')))]
  })
  return new Map(await Promise.all(rows))
}

export function countersIn(text: string): Counters {
  const values = (metric: string): Map<string, number> =>
    new Map(
      [...text.matchAll(new RegExp(`^${metric}\\{\\w+="(\\w+)"\\} (\\d+)$`, 'gm'))].map(
        ([, label = '', count]) => [label, Number(count)],
      ),
    )
  const value = (metric: string): number =>
    Number(new RegExp(`^${metric} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN)
  const sum = (counts: Map<string, number>, without: string): number =>
    [...counts].reduce((all, [label, count]) => (label === without ? all : all + count), 0)
  const looks = values('jangada_agent_looks_total')
  const calls = values('jangada_engine_calls_total')
  const byClock = looks.get('clock') ?? 0
  const otherCalls = sum(calls, 'list')
  return {
    looks: sum(looks, 'clock'),
    calls: otherCalls + (calls.get('list') ?? 0) - byClock,
    otherCalls,
    revision: value('jangada_store_revision'),
    walWrites: value('jangada_wal_writes_total'),
    walBytes: value('jangada_wal_bytes_total'),
  }
}

/** The counters, once nobody has been woken for a while. Throws `JGD_RACK` when that never comes. */
export async function whenQuiet(rack: Rack): Promise<Wakes> {
  const { clock } = rack
  const startedMs = clock.monotonicMs()
  let [before, sinceMs] = [await wakesOf(rack), startedMs]
  for (;;) {
    await sleep(clock, lookEveryMs)
    const now = await wakesOf(rack)
    const nowMs = clock.monotonicMs()
    if (wokenBetween(before, now).length > 0) [before, sinceMs] = [now, nowMs]
    if (nowMs - sinceMs >= quietMs) return now
    if (nowMs - startedMs < quietWithinMs) continue
    throw rackError(`agents are still woken after ${quietWithinMs / 1000} s`)
  }
}

export interface Woken {
  readonly host: string
  readonly looks: number
  readonly calls: number
}

/** Hosts whose agent did anything that the clock did not ask for. */
export function wokenBetween(before: Wakes, after: Wakes): Woken[] {
  return [...after].flatMap(([host, now]): Woken[] => {
    const then = before.get(host)
    const looks = now.looks - (then?.looks ?? 0)
    // A list of the clock's may be under way when it is counted, so a list alone is no sign.
    const isWoken = looks > 0 || now.otherCalls !== (then?.otherCalls ?? 0)
    return isWoken ? [{ host, looks, calls: now.calls - (then?.calls ?? 0) }] : []
  })
}
