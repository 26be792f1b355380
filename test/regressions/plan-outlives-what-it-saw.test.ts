/**
 * A plan was made of what the leader saw before it asked how replacements do, and guarded by what it
 * saw after. Whoever was lost in between was given units.
 */
import t from 'tap'
import { placements, states, units } from '../../src/core/records/keyspace.ts'
import { term } from '../../src/base/ids.ts'
import type { ControllerContext } from '../../src/node/controllers/context.ts'
import { PlacementController } from '../../src/node/controllers/placement.ts'
import { UnitRules } from '../../src/node/controllers/unit-rules.ts'
import type { MemberStore } from '../../src/node/member/member-store.ts'
import {
  clock,
  entropy,
  ids,
  machine,
  placement,
  silent,
  state,
  unitFile,
} from '../node/api/fixture.ts'
import { LocalStore } from '../support/local-store.ts'

t.test('a machine is lost while the plan waits for an answer', async (t) => {
  const store = new LocalStore()
  const unit = (name: string) =>
    units.put(
      {
        v: 1,
        name,
        file: unitFile('busybox sleep 60'),
        hash: 'h',
        desired: 'launched',
        submittedMs: 0,
      },
      name,
    )
  const drains = { drain: { sinceMs: 1 } }
  store.put(
    machine(ids.n1, 'n1', drains),
    machine(ids.n2, 'n2'),
    machine(ids.n3, 'n3'),
    unit('moving.service'),
    placement('moving.service', ids.n1),
    placement('moving.service', ids.n2),
    unit('new.service'),
  )
  let isLost = false
  const range: LocalStore['range'] = async (request, consistency) => {
    if (request.key.startsWith(states.prefix) && !isLost) {
      isLost = true
      store.put(machine(ids.n3, 'n3', { status: 'lost' }))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return store.range(request, consistency)
  }
  const slow = { range, watch: store.watch, transact: store.transact }
  const metrics = { count: () => undefined, gauge: () => undefined, observe: () => undefined }
  const context: ControllerContext = {
    store: slow as unknown as MemberStore,
    clock,
    entropy,
    log: silent,
    metrics,
  }
  const office = new AbortController()
  t.teardown(() => office.abort())
  const signal = office.signal
  new PlacementController(
    context,
    { term: term(1), tookOfficeMs: 0, signal },
    new UnitRules(),
    () => 0,
  ).start()
  const placed = async (): Promise<string[]> =>
    (await store.range(placements.range, 'local')).items.map(({ key }) => key)
  const isPlaced = async (): Promise<boolean> =>
    (await placed()).some((key) => key.endsWith('new.service'))
  while (!(await isPlaced())) await new Promise((resolve) => setTimeout(resolve, 5))
  t.ok(isLost)
  t.ok((await placed()).includes(placements.key(ids.n2, 'new.service')), 'on the one that is left')
})

t.test('the machine of a replacement is lost before the old copy is taken off', async (t) => {
  const store = new LocalStore()
  const name = 'moving.service'
  const file = unitFile('busybox sleep 60')
  store.put(
    machine(ids.n1, 'n1', { drain: { sinceMs: 1 } }),
    machine(ids.n2, 'n2'),
    units.put({ v: 1, name, file, hash: 'h', desired: 'launched', submittedMs: 0 }, name),
    placement(name, ids.n1),
    placement(name, ids.n2),
  )
  store.put(state({ store }, name, ids.n1), state({ store }, name, ids.n2))
  let isLost = false
  let lose: () => void = () => undefined
  const lost = new Promise<void>((resolve) => {
    lose = resolve
  })
  const transact: LocalStore['transact'] = (request) => {
    const takes = request.then.some(
      (each) => each.kind === 'delete' && each.key === placements.key(ids.n1, name),
    )
    if (takes && !isLost) {
      isLost = true
      lose()
      store.put(machine(ids.n2, 'n2', { status: 'lost' }))
    }
    return store.transact(request)
  }
  const held = { range: store.range, watch: store.watch, transact }
  const office = new AbortController()
  t.teardown(() => office.abort())
  new PlacementController(
    {
      store: held as unknown as MemberStore,
      clock,
      entropy,
      log: silent,
      metrics: { count: () => undefined, gauge: () => undefined, observe: () => undefined },
    },
    { term: term(1), tookOfficeMs: 0, signal: office.signal },
    new UnitRules(),
    () => 0,
  ).start()
  await lost
  await new Promise((resolve) => setTimeout(resolve, 100))
  const placed = (await store.range(placements.range, 'local')).items.map(({ key }) => key)
  t.ok(placed.includes(placements.key(ids.n1, name)), 'the one that runs is still there')
})
