import t from 'tap'
import { memberId } from '../../../src/base/ids.ts'
import { heartbeatMs, timers } from '../../../src/node/member/raft-config.ts'
import { Silences } from '../../../src/node/member/silences.ts'

const [leader, other] = [memberId(1), memberId(2)]
const lateMs = 80

/** Heartbeats for so many seconds, every fourth of them late. */
function hear(silences: Silences, seconds: number, fromMs: number, late = lateMs): number {
  let nowMs = fromMs
  for (let beat = 0; nowMs < fromMs + seconds * 1000; beat += 1) {
    nowMs += heartbeatMs + (beat % 4 === 0 ? late : 1)
    silences.heard(leader, nowMs)
  }
  return nowMs
}

t.test('whoever is heard late again and again is slow', async (t) => {
  const silences = new Silences()
  const nowMs = hear(silences, 5, 0)
  t.equal(silences.p999Ms(), lateMs)
  for (let window = 0; window < 60; window += 1) silences.p999Ms()
  t.equal(silences.p999Ms(), 0, 'that was a minute ago')
  hear(silences, 5, nowMs + 1, 0)
  t.ok(silences.p999Ms() <= 1)
})

t.test(
  'a few that are late, one that was gone, and appends between them say nothing',
  async (t) => {
    const silences = new Silences()
    let nowMs = hear(silences, 1, 0, 0)
    for (let late = 0; late < 5; late += 1) silences.heard(leader, (nowMs += heartbeatMs + lateMs))
    for (let back = 0; back < 10; back += 1) silences.heard(leader, (nowMs += 5000))
    for (let soon = 0; soon < 10_000; soon += 1) silences.heard(leader, (nowMs += 1))
    silences.heard(other, nowMs + 2000)
    t.ok(silences.p999Ms() <= 1)
  },
)

t.test('who is heard anew was not silent', async (t) => {
  const silences = new Silences()
  for (let term = 0; term < 10; term += 1) {
    silences.heard(leader, term * 1000)
    silences.restart()
  }
  t.equal(silences.p999Ms(), 0)
})

t.test('the later, the longer is waited; heartbeats stay', async (t) => {
  const waits = [0, 15, 15.1, 30, 31, 61, 5000].map((ms) => timers(ms))
  t.same(
    waits.map(({ electionTimeoutMs }) => electionTimeoutMs),
    [150, 150, 180, 300, 330, 630, 1200],
  )
  t.same(
    waits.map(({ loyaltyMs }) => loyaltyMs),
    [150, 150, 150, 150, 165, 315, 600],
    'half as long, and never less than a timeout without any delay',
  )
  t.equal(timers(5000).heartbeatMs, heartbeatMs)
})
