import t from 'tap'
import { units } from '../../../src/core/records/keyspace.ts'
import type { Stored } from '../../../src/core/records/record.ts'
import type { UnitRecord } from '../../../src/core/records/schemas.ts'
import { UnitRules } from '../../../src/node/controllers/unit-rules.ts'
import type { Clock } from '../../../src/ports/clock.ts'

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
