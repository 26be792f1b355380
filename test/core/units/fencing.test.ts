/** `Fencing=` and `FencingGrace=`: what a unit asks for when its machine is cut off. */
import t from 'tap'
import { parseUnit } from '../../../src/core/units/unit.ts'

const fleet = (...lines: readonly string[]): string =>
  ['[Service]', 'ExecStart=/usr/bin/docker run busybox', '[X-Fleet]', ...lines].join('\n')
const read = (...lines: readonly string[]) => {
  const parsed = parseUnit('db.service', fleet(...lines))
  if (!parsed.ok) return parsed.problems.map(({ reason }) => reason)
  const { fencing, fencingGraceMs } = parsed.spec.placement
  return { fencing, fencingGraceMs }
}

t.test('a unit keeps running unless it says otherwise', (t) => {
  t.same(read(), { fencing: 'keep', fencingGraceMs: 0 })
  t.same(read('Fencing=stop'), { fencing: 'stop', fencingGraceMs: 0 })
  t.same(read('Fencing=stop', 'FencingGrace=1min'), { fencing: 'stop', fencingGraceMs: 60_000 })
  t.same(read('Fencing=stop', 'Fencing=keep').valueOf(), { fencing: 'keep', fencingGraceMs: 0 })
  t.end()
})

t.test('what cannot be meant is refused', (t) => {
  t.match(read('Fencing=kill'), [/write keep or stop/])
  t.match(read('Fencing=stop', 'FencingGrace=61s'), [/at most 60 s/])
  t.match(read('Fencing=stop', 'FencingGrace=soon'), [/at most 60 s/])
  t.match(read('Fencing=stop', 'Global=true'), [/cannot be used with Global/])
  t.match(read('Global="true"', 'Fencing=stop'), [/cannot be used with Global/])
  t.same(read('Global=true', 'Global=', 'Fencing=stop'), { fencing: 'stop', fencingGraceMs: 0 })
  t.end()
})
