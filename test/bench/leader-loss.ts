/**
 * The leader's cable is pulled, so that nobody hears a FIN: how long until a write is committed
 * again, asked of a machine that stayed. No container moves; `failover` is the bench of that.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { leaderOf, statusThat, votersOf } from '../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { openHttp } from './consensus/http-connection.ts'
import { type Figure, median, quantile } from './figures.ts'
import { inRack } from './rack.ts'

/** Between the beginnings of two tries, whatever became of those before. */
const tryEveryMs = 5
const patienceMs = 10_000
/** After all three are voters again and up to date. */
const calmMs = 1000

export function benchLeaderLoss(
  cuts: number,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  return inRack({ hosts: 3 }, async (rack) => {
    const [first = ''] = rack.spec.hosts.map(({ name }) => name)
    await statusThat(rack, first, 'three voters', (seen) => votersOf(seen).length === 3)
    const samples: number[] = []
    for (let cut = 1; cut <= cuts; cut += 1) {
      await pause(calmMs)
      const leader = leaderOf(await statusOf(rack, first))
      const stayed = rack.spec.hosts.map(({ name }) => name).filter((name) => name !== leader)
      const asked = stayed[cut % stayed.length] ?? ''
      const afterMs = await cutAndWrite(rack, leader, asked, cut)
      samples.push(afterMs)
      say(`cut ${cut} of ${cuts}: ${leader}, a write on ${asked} after ${afterMs.toFixed(0)} ms`)
      await rack.join(leader)
      await statusThat(rack, leader, `${leader} follows`, ({ stale, leader: seen }) => {
        return stale === false && seen !== null && seen.name !== leader
      })
    }
    const name = 'leader lost → next committed write'
    return [
      { name: `${name}: median`, unit: 'ms', value: median(samples), goal: 250, samples },
      { name: `${name}: p99`, unit: 'ms', value: quantile(samples, 0.99), goal: 600, samples },
    ]
  })
}

/** Milliseconds from the cut to the acknowledgement of a write that began after it. */
async function cutAndWrite(
  rack: Rack,
  leader: string,
  asked: string,
  cut: number,
): Promise<number> {
  const socket = `/proc/${await rack.initPid(asked)}/root/run/jangada/jangada.sock`
  await rack.cut(leader)
  const cutMs = performance.now()
  return new Promise((resolve, reject) => {
    let tries = 0
    const timer = setInterval(() => {
      tries += 1
      const key = `leader-loss-${cut}-${tries}`
      void writeOnce(socket, key).then((isAcknowledged) => {
        if (!isAcknowledged) return
        clearInterval(timer)
        resolve(performance.now() - cutMs)
      })
      if (performance.now() - cutMs < patienceMs) return
      clearInterval(timer)
      reject(new Error(`no write was committed for ${patienceMs / 1000} s after the cut`))
    }, tryEveryMs)
  })
}

async function writeOnce(path: string, key: string): Promise<boolean> {
  try {
    const connection = await openHttp({ kind: 'socket', path }, undefined)
    try {
      return await connection.request({ keys: [key], value: 'after' })
    } finally {
      connection.close()
    }
  } catch {
    return false
  }
}
