/** A plan that broke a rule for one unit was tried again for ever, and nobody else was placed. */
import t from 'tap'
import { term } from '../../src/base/ids.ts'
import { events, placements, units } from '../../src/core/records/keyspace.ts'
import { violationsOf } from '../../src/core/scheduler/check.ts'
import type { ControllerContext } from '../../src/node/controllers/context.ts'
import { PlacementController } from '../../src/node/controllers/placement.ts'
import { UnitRules } from '../../src/node/controllers/unit-rules.ts'
import type { MemberStore } from '../../src/node/member/member-store.ts'
import { clock, entropy, ids, machine, silent, unitFile } from '../node/api/fixture.ts'
import { LocalStore } from '../support/local-store.ts'

const unit = (name: string, hash: string) =>
  units.put(
    { v: 1, name, file: unitFile('busybox sleep 60'), hash, desired: 'launched', submittedMs: 0 },
    name,
  )

/** As if the planner were wrong about one unit, as long as its file says what it says. */
const doubting: typeof violationsOf = (snapshot, decisions, replacements) => [
  ...violationsOf(snapshot, decisions, replacements),
  ...decisions.flatMap(({ unit: name, machine: at }) =>
    name === 'odd.service' && snapshot.units.some((each) => each.name === name && !isMended)
      ? [{ unit: name, machine: at, rule: 'alone' as const, detail: 'says the test' }]
      : [],
  ),
]
let isMended = false

t.test('the others are placed, people are told, and a new file is tried', async (t) => {
  const store = new LocalStore()
  store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  store.put(unit('odd.service', 'h1'), unit('even.service', 'h1'))
  const metrics = { count: () => undefined, gauge: () => undefined, observe: () => undefined }
  const context: ControllerContext = {
    ...{ store: store as unknown as MemberStore, clock, entropy, log: silent, metrics },
    comparesPlans: false,
  }
  const office = new AbortController()
  t.teardown(() => office.abort())
  const { signal } = office
  new PlacementController(
    context,
    { term: term(1), tookOfficeMs: 0, signal },
    new UnitRules(),
    () => 0,
    doubting,
  ).start()
  const placed = async (): Promise<string> =>
    (await store.range(placements.range, 'local')).items.map(({ key }) => key).join()
  const until = async (name: string): Promise<void> => {
    while (!(await placed()).includes(name)) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until('even.service')
  t.notOk((await placed()).includes('odd.service'))
  const said = (await store.range(events.range, 'local')).items.map((item) => events.read(item))
  t.match(
    said.map((each) => each?.value),
    [{ kind: 'placement.stuck', unit: 'odd.service' }],
  )
  isMended = true
  store.put(unit('odd.service', 'h2'))
  await until('odd.service')
})
