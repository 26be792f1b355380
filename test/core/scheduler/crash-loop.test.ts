/** What is remembered of crash loops, and what of it decides. */
import t from 'tap'
import type { MachineId } from '../../../src/base/ids.ts'
import type { CrashRecord } from '../../../src/core/records/schemas.ts'
import {
  afterCrash,
  crashesCountMs,
  crashesOf,
  isForgotten,
  pauseLeftMs,
  placementsUntilParked,
} from '../../../src/core/scheduler/crash-loop.ts'

const a = 'a'.repeat(32) as MachineId
const b = 'b'.repeat(32) as MachineId
const crash = (machine: MachineId, kind: 'run' | 'image' = 'run') => ({
  machine,
  hash: 'h',
  kind,
  message: 'exit code 1',
})

function crashed(times: number, kind: 'run' | 'image'): CrashRecord {
  let record: CrashRecord | undefined
  for (let at = 0; at < times; at += 1) record = afterCrash('x', record, crash(a, kind), at)
  return record!
}

t.test('pauses double, up to five minutes, and then it is parked', async (t) => {
  const pauses = [1, 2, 3, 4, 5, 6, 7].map((times) => {
    const { untilMs, parked } = crashed(times, 'run')
    t.notOk(parked)
    return untilMs - (times - 1)
  })
  t.same(pauses, [5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000])
  t.ok(crashed(placementsUntilParked, 'run').parked)
})

t.test('who waits for his image is never parked, and what is kept is bounded', async (t) => {
  const record = crashed(100, 'image')
  t.notOk(record.parked)
  t.equal(record.failures.length, placementsUntilParked)
  t.equal(record.untilMs - 99, 300_000)
})

t.test('an hour later it is forgotten, and so it is with another content', async (t) => {
  const first = afterCrash('x', undefined, crash(a), 0)
  const second = afterCrash('x', first, crash(b), 1000)
  t.same(crashesOf(second, 'h', 2000), {
    hold: 'pause',
    failedOn: new Map([
      [a, 1],
      [b, 1],
    ]),
  })
  t.equal(crashesOf(second, 'other', 2000), undefined)
  t.same(crashesOf(second, 'h', crashesCountMs), { hold: 'none', failedOn: new Map([[b, 1]]) })
  t.equal(crashesOf(second, 'h', crashesCountMs + 1000), undefined)
  const again = afterCrash('x', second, crash(a), 2 * crashesCountMs)
  t.same(again.failures, [{ machine: a, atMs: 2 * crashesCountMs }])
  const edited = afterCrash('x', second, { ...crash(a), hash: 'other' }, 2000)
  t.equal(edited.failures.length, 1)
})

t.test('a leader whose clock was a day ahead holds nobody up for a day', async (t) => {
  const day = 86_400_000
  const ahead = afterCrash('x', undefined, crash(a), day)
  t.equal(crashesOf(ahead, 'h', 1000), undefined)
  t.equal(pauseLeftMs(ahead, 1000), 0)
  t.ok(isForgotten(ahead, 1000))
  t.same(crashesOf(ahead, 'h', day + 1), { hold: 'pause', failedOn: new Map([[a, 1]]) })
  const next = afterCrash('x', ahead, crash(b), 1000)
  t.same(
    next.failures.map(({ machine }) => machine),
    [b],
  )
})
