import t from 'tap'
import { units } from '../../../src/core/records/keyspace.ts'
import type { Stored } from '../../../src/core/records/record.ts'
import type { UnitRecord } from '../../../src/core/records/schemas.ts'
import { readUnitsAhead, UnitRules } from '../../../src/node/controllers/unit-rules.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { LocalStore } from '../../support/local-store.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { silent } from '../api/fixture.ts'

const file = `[Service]
ExecStart=/usr/bin/docker run busybox true
[X-Fleet]
Conflicts=other@*.service
`

function unit(
  name: string,
  modRevision: number,
  text = file,
  desired: UnitRecord['desired'] = 'launched',
): Stored<UnitRecord> {
  const record = { v: 1, name, file: text, hash: `of ${text}`, desired, submittedMs: 0 } as const
  const put = units.put(record, name)
  if (put.kind !== 'put') throw new Error('a record is put')
  const item = { ...put, modRevision, createRevision: 1, version: 1 }
  const stored = units.read(item as unknown as Parameters<typeof units.read>[0])
  if (stored === undefined) throw new Error('it is a record')
  return stored
}

const byKey = (items: readonly Stored<UnitRecord>[]) => new Map(items.map((one) => [one.key, one]))

/** Every look at it takes a millisecond; counts how often somebody let others run. */
function busyClock() {
  let nowMs = 0
  const breaths = { count: 0 }
  const clock: Clock = {
    monotonicMs: () => (nowMs += 1),
    wallMs: () => nowMs,
    after: (_, fire) => {
      breaths.count += 1
      queueMicrotask(fire)
      return { cancel: () => undefined }
    },
    atTurnsEnd: (fire) => queueMicrotask(fire),
  }
  return { clock, breaths }
}

t.test('many files are read a stretch at a time', async (t) => {
  const { clock, breaths } = busyClock()
  const rules = new UnitRules()
  const all = byKey(Array.from({ length: 300 }, (_, at) => unit(`web@${at}.service`, at + 1)))
  await rules.readAll(all, clock, new AbortController().signal)
  t.ok(breaths.count >= 50, `${breaths.count} breaths`)
})

t.test('a file is read once, and again when it has changed', async (t) => {
  const rules = new UnitRules()
  const first = rules.of(unit('web@1.service', 5))
  t.match(first, { name: 'web@1.service', wanted: true })
  t.equal(rules.of(unit('web@1.service', 5)), first, 'the very same')
  const stopped = rules.of(unit('web@1.service', 6, file, 'inactive'))
  t.match(stopped, { name: 'web@1.service', wanted: false })
  t.equal(stopped?.rules, first?.rules, 'to stop it changes nothing of what its file says')
  const other = file.replace('other@', 'another@')
  t.notSame(rules.of(unit('web@1.service', 7, other)), first)
  t.equal(rules.of(unit('web@.service', 8)), undefined, 'a template runs nowhere')
})

t.test('a member reads ahead what is there, and what comes', async (t) => {
  const store = new LocalStore()
  const put = (name: string): void => {
    const record = { v: 1, name, file, hash: name, desired: 'launched', submittedMs: 0 } as const
    store.put(units.put(record, name))
  }
  put('first@1.service')
  const read: string[] = []
  const forgotten: string[] = []
  class Watched extends UnitRules {
    override of(item: Stored<UnitRecord>) {
      read.push(item.value.name)
      return super.of(item)
    }
    override forget(key: string) {
      forgotten.push(key)
      super.forget(key)
    }
  }
  const rules = new Watched()
  let isMember = false
  const stop = new AbortController()
  const { signal } = stop
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const clock = new SimulatedClock(time, random)
  const own = () => (isMember ? store : undefined)
  const reading = readUnitsAhead({ rules, store: own, clock, log: silent, signal })
  await time.runFor(3000)
  t.same(read, [], 'not on a machine without a member')
  isMember = true
  await time.runFor(3000)
  t.same(read, ['first@1.service'])
  put('second@1.service')
  store.put({ kind: 'delete', key: units.key('first@1.service') })
  await time.runFor(3000)
  t.same(read, ['first@1.service', 'second@1.service'])
  t.same(forgotten, [units.key('first@1.service')])
  stop.abort()
  await time.runUntilSettled(reading, 3000)
})

t.test('what is gone is forgotten, and read anew if it comes back', async (t) => {
  const rules = new UnitRules()
  const { clock } = busyClock()
  const { signal } = new AbortController()
  const [one, two] = [unit('a@1.service', 1), unit('a@2.service', 2)]
  await rules.readAll(byKey([one, two]), clock, signal)
  const before = rules.of(one)
  await rules.readAll(byKey([two]), clock, signal)
  t.not(rules.of(one), before)
})
