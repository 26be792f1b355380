import t from 'tap'
import { units } from '../../../src/core/records/keyspace.ts'
import type { UnitRecord } from '../../../src/core/records/schemas.ts'
import { factsOf, readWithFacts, schedulerUnitOf } from '../../../src/node/api/unit-facts.ts'
import { ids, machine, makeNode, unitFile } from './fixture.ts'
import { slowClock } from './slow-clock.ts'

/** More than were once remembered: then each list read all of them again. */
const count = 10_500

t.test('files are read once, however many units there are, and a stretch at a time', async (t) => {
  const node = await makeNode()
  node.store.put(machine(ids.n1, 'n1'))
  const file = unitFile('busybox true', '[X-Fleet]\nConflicts=other.service')
  await node.ask('PUT', '/v1/units/web.service', { file })
  const stored = await node.store.range({ key: units.key('web.service') }, 'local')
  const web = units.read(stored.items[0]!)!.value
  const many = Array.from({ length: count }, (_, n): UnitRecord => ({
    ...web,
    name: `u-${n}.service`,
  }))
  for (let at = 0; at < count; at += 500) {
    node.store.put(...many.slice(at, at + 500).map((each) => units.put(each, each.name)))
  }
  const clock = slowClock(0.1)
  const { units: all } = await readWithFacts({ store: node.store, clock })
  t.equal(all.size, count + 1)
  t.ok(clock.rests > 100, 'the loop saw to others in between')
  const facts = [...all.values()].map(factsOf)
  const again = await readWithFacts({ store: node.store, clock })
  t.ok(
    [...again.units.values()].every((unit, at) => factsOf(unit) === facts[at]),
    'nothing is read twice',
  )
  t.match(schedulerUnitOf(web), { name: 'web.service', rules: { conflicts: ['other.service'] } })

  node.store.put({ kind: 'delete', key: units.key('web.service') })
  await readWithFacts({ store: node.store, clock })
  t.not(factsOf(web), facts.at(-1), 'what went is forgotten')
})
