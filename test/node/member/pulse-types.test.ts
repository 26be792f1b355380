import t from 'tap'
import { machineId } from '../../../src/base/ids.ts'
import { PulseTable } from '../../../src/core/liveness/pulse-table.ts'
import { checkPulse, checkRelay, checkTable, wordOf } from '../../../src/node/member/pulse-types.ts'

const machine = 'a'.repeat(32)
const old = { bootId: 'b', memberId: 0, silentForMs: 15_000, reports: [] }

t.test('agents and voters that do not number pulses yet are understood', (t) => {
  const pulse = checkPulse(old)
  t.same(wordOf(pulse, 100), { place: undefined, silentUntilMs: 15_100 })
  const numbered = { ...old, place: { run: 'r', sequence: 1 } }
  const { pulses } = checkRelay({
    pulses: [
      { machine, ageMs: 5, pulse: old },
      { machine, ageMs: 5, pulse: numbered },
    ],
  })
  t.equal(pulses.length, 2, 'and spoil no frame')
  const table = new PulseTable()
  const ages = checkTable({ ages: [{ machine, ageMs: 40 }] }).ages
  table.merge(
    ages.map((age) => ({ ...age, machine: machineId(age.machine) })),
    1000,
  )
  t.equal(table.heardAtMs(machineId(machine)), 960)
  t.end()
})

t.test('a place is whole, or none', (t) => {
  const bad = [{ run: '', sequence: 1 }, { run: 'r', sequence: 0 }, { run: 'r' }, 'r']
  for (const place of bad) {
    t.throws(() => checkPulse({ ...old, place }), { code: 'JGD_BAD_REQUEST' })
  }
  t.end()
})
