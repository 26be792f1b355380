import t from 'tap'
import { machineId } from '../../../src/base/ids.ts'
import {
  isEarlier,
  maxPulsingMachines,
  PulseTable,
} from '../../../src/core/liveness/pulse-table.ts'

const id = (n: number) => machineId(n.toString(16).padStart(32, '0'))
const word = (sequence: number, silentUntilMs = 0, run = 'first') => ({
  place: { run, sequence },
  silentUntilMs,
})
const told = (sequence: number, ageMs: number, run = 'first') => ({ run, sequence, ageMs })

t.test('a new leader learns from the other voters what it did not hear itself', (t) => {
  const mine = new PulseTable()
  const theirs = new PulseTable()
  theirs.heard(id(1), 900)
  theirs.heard(id(2), 100)
  mine.heard(id(2), 50_000)
  mine.merge(theirs.ages(1000, 5000), 60_000)
  t.equal(mine.heardAtMs(id(1)), 59_900, 'ages are moved to the own clock')
  t.equal(mine.heardAtMs(id(2)), 59_100, 'the later of the two stands')
  t.end()
})

t.test('and of the silence that a machine announced to them', (t) => {
  const mine = new PulseTable()
  const theirs = new PulseTable()
  mine.heard(id(1), 59_000, word(7))
  theirs.heard(id(1), 900, word(8, 15_900))
  theirs.heard(id(2), 900, word(3, 950))
  mine.merge(theirs.ages(1000, 5000), 60_000)
  t.equal(mine.silentUntilMs(id(1)), 74_900, 'what is left of it')
  t.equal(mine.silentUntilMs(id(2)), 0, 'this one is over')
  mine.merge([{ machine: id(1), ageMs: 10, silentForMs: 0, last: told(7, 10) }], 60_500)
  t.equal(mine.silentUntilMs(id(1)), 74_900, 'who heard only older pulses knows no better')
  mine.merge([{ machine: id(1), ageMs: 10 }], 60_500)
  t.equal(mine.silentUntilMs(id(1)), 74_900, 'nor who heard none')
  t.equal(mine.heardAtMs(id(1)), 60_490)
  t.end()
})

t.test('a pulse that a later one overtook says that the machine lives, and no more', (t) => {
  const table = new PulseTable()
  table.heard(id(1), 100, word(1))
  table.heard(id(1), 150, word(2, 15_000))
  table.heard(id(1), 160, word(2, 15_010))
  t.equal(table.silentUntilMs(id(1)), 15_000, 'again, by way of another voter')
  table.heard(id(1), 200, word(1))
  t.equal(table.heardAtMs(id(1)), 200)
  t.equal(table.silentUntilMs(id(1)), 15_000, 'it does not take the goodbye back')
  table.heard(id(1), 150, word(3))
  t.equal(table.heardAtMs(id(1)), 200)
  t.equal(table.silentUntilMs(id(1)), 0, 'heard earlier, by a voter nearer to it, and said later')
  t.ok(isEarlier({ run: 'a', sequence: 1 }, { run: 'a', sequence: 2 }))
  t.notOk(isEarlier({ run: 'a', sequence: 2 }, { run: 'a', sequence: 2 }))
  t.notOk(isEarlier({ run: 'b', sequence: 1 }, { run: 'a', sequence: 2 }))
  t.notOk(isEarlier(undefined, { run: 'a', sequence: 2 }))
  t.end()
})

t.test('an agent that has started again begins anew, and its old word is not brought back', (t) => {
  const table = new PulseTable()
  table.heard(id(1), 100, word(90, 15_000))
  table.heard(id(1), 5000, word(1, 0, 'second'))
  t.equal(table.silentUntilMs(id(1)), 0, 'it is back')
  table.merge([{ machine: id(1), ageMs: 5000, silentForMs: 9900, last: told(90, 5000) }], 5100)
  t.equal(table.silentUntilMs(id(1)), 0, 'a voter that has not heard that is not believed')
  table.heard(id(1), 5500, { place: undefined, silentUntilMs: 20_500 })
  t.equal(table.silentUntilMs(id(1)), 20_500, 'without numbers, what comes later counts')
  t.end()
})

t.test('the table is bounded; the one that changed the longest ago goes first', (t) => {
  const table = new PulseTable()
  for (let n = 0; n <= maxPulsingMachines; n += 1) table.heard(id(n), n)
  t.equal(table.heardAtMs(id(0)), undefined)
  t.equal(table.heardAtMs(id(1)), 1)
  t.equal(table.ages(maxPulsingMachines, Infinity).length, maxPulsingMachines)
  t.end()
})
