import t from 'tap'
import {
  clusterSettings,
  crashes,
  events,
  placements,
  units as unitRecords,
} from '../../../src/core/records/keyspace.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { machineId, revision, type Revision } from '../../../src/base/ids.ts'
import type { CrashRecord } from '../../../src/core/records/schemas.ts'
import type { PlanRow, UnitsAnswer, WhyAnswer } from '../../../src/node/api/answers.ts'
import { clock, ids, machine, makeNode, placement, state, unitFile } from './fixture.ts'

t.test('a unit from its file to its end', async (t) => {
  const node = await makeNode()
  const { ask } = node
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  const file = unitFile('busybox sleep 60')

  const made = await ask('PUT', '/v1/units/web.service', { file })
  t.match(made, { status: 201, value: { created: true, desired: 'inactive', isGlobal: false } })
  const again = await ask('PUT', '/v1/units/web.service', { file: `# a comment\n${file}` })
  t.match(again, { status: 200, value: { created: false } }, 'the same content is the same unit')

  const other = await ask('PUT', '/v1/units/web.service', { file: unitFile('busybox true') })
  t.match(other, { status: 409, value: { error: { code: 'JGD_UNIT_EXISTS' } } })
  const replaced = await ask('PUT', '/v1/units/web.service', {
    file: unitFile('busybox true'),
    replace: true,
    desired: 'launched',
  })
  t.match(replaced, { status: 200, value: { desired: 'launched' } })
  t.not(replaced.value.hash, made.value.hash)

  const nowhere = await ask('GET', '/v1/units')
  t.match(nowhere.value.units, [{ name: 'web.service', machine: null, sub: 'unplaced' }])

  node.store.put(placement('web.service', ids.n2))
  const placed = await ask('GET', '/v1/units')
  t.match(placed.value.units, [{ machine: ids.n2, machineName: 'n2', active: 'inactive' }])
  node.store.put(state(node, 'web.service', ids.n2, { restarts: 3, message: 'why' }))
  const running = await ask('GET', '/v1/units')
  t.match(running.value.units, [
    { active: 'active', sub: 'running', restarts: 3, message: 'why', image: 'busybox' },
  ])
  const files = await ask('GET', '/v1/unit-files')
  t.match(files.value.unitFiles, [
    { name: 'web.service', desired: 'launched', state: 'launched', targets: [{ name: 'n2' }] },
  ])
  const one = await ask('GET', '/v1/units/web.service')
  t.match(one.value, { file: unitFile('busybox true'), states: [{ machine: ids.n2 }] })

  const stopped = await ask('POST', '/v1/units/web.service/state', { desired: 'loaded' })
  t.match(stopped.value, { desired: 'loaded', created: false })
  t.match(await ask('DELETE', '/v1/units/web.service'), { status: 200 })
  t.match(await ask('DELETE', '/v1/units/web.service'), {
    status: 404,
    value: { error: { code: 'JGD_UNIT_UNKNOWN' } },
  })
  const stays = node.store.store.range(placements.range)
  t.equal(
    stays.kind === 'range' && stays.result.items.length,
    1,
    'placements are for the controller to take away',
  )
  const told = await node.store.range(events.range, 'local')
  const kinds = told.items.map((item) => events.read(item)?.value.kind)
  t.ok(kinds.includes('unit.submitted') && kinds.includes('unit.destroyed'))
})

t.test('a unit that is parked says so, and is tried again when people start it', async (t) => {
  const node = await makeNode()
  const { ask } = node
  node.store.put(machine(ids.n1, 'n1'))
  const body = { file: unitFile('busybox false'), desired: 'launched' }
  const { value } = await ask('PUT', '/v1/units/bad.service', body)
  const crash: CrashRecord = {
    v: 1,
    unit: 'bad.service',
    hash: value.hash,
    failures: [{ machine: ids.n1, atMs: Date.now() }],
    untilMs: 0,
    parked: true,
    message: 'exit code 1',
  }
  const isKnown = async (): Promise<boolean> =>
    (await node.store.range(crashes.range, 'local')).items.length > 0
  for (const again of [
    () => ask('PUT', '/v1/units/bad.service', { desired: 'launched' }),
    () => ask('POST', '/v1/units/bad.service/state', { desired: 'inactive' }),
    () => ask('PUT', '/v1/units/bad.service', { file: unitFile('busybox x'), replace: true }),
    () => ask('DELETE', '/v1/units/bad.service'),
  ]) {
    node.store.put(crashes.put(crash, 'bad.service'))
    t.ok(await isKnown())
    if (crash.hash === (await ask('GET', '/v1/units/bad.service')).value.hash) {
      const row = (await ask('GET', '/v1/units')).value.units[0]
      if (row.desired === 'launched') {
        t.match(row, { active: 'failed', sub: 'parked', machine: null })
        t.match(row.message, /exit code 1.*jangada start bad\.service/)
        const why = (await ask('GET', '/v1/units/bad.service/why')).value
        t.match(why.machines, [{ verdict: 'refused', reason: /it is parked/ }])
      }
    }
    t.ok((await again()).status < 300)
    t.notOk(await isKnown())
  }
})

t.test('a refusal names file, line and reason, and every one of them', async (t) => {
  const { ask } = await makeNode()
  const file = unitFile('busybox true', 'Frobnicate=yes\nRestart=perhaps\n')
  const { status, value } = await ask('PUT', '/v1/units/web.service', { file })
  t.equal(status, 400)
  t.match(value.error, { code: 'JGD_UNIT_UNSUPPORTED', message: /^web\.service:5: .*and 1 more/ })
  t.match(value.error.details.problems, [
    { file: 'web.service', line: 5 },
    { file: 'web.service', line: 6 },
  ])
  const name = await ask('PUT', '/v1/units/web.timer', { file })
  t.match(name.value.error, { code: 'JGD_UNIT_NAME' })
  const shape = await ask('PUT', '/v1/units/web.service', { file: 7 })
  t.match(shape, { status: 400, value: { error: { code: 'JGD_BAD_REQUEST', message: /\/file/ } } })
})

t.test('templates are kept and never run; their instances take their text', async (t) => {
  const { ask, store } = await makeNode()
  const file = unitFile('busybox echo %i')
  const early = await ask('PUT', '/v1/units/hello@3.service', { desired: 'launched' })
  t.match(early, {
    status: 404,
    value: { error: { code: 'JGD_UNIT_UNKNOWN', message: /hello@\.service/ } },
  })
  t.match(await ask('PUT', '/v1/units/hello@.service', { file }), { status: 201 })
  for (const [method, path] of [
    ['POST', '/v1/units/hello@.service/state'],
    ['PUT', '/v1/units/hello@.service'],
  ] as const) {
    const { value } = await ask(method, path, { desired: 'launched' })
    t.match(value.error, { code: 'JGD_UNIT_IS_TEMPLATE', hint: /hello@\{1\.\.3\}/ })
  }
  const { range } = store
  const asked: string[] = []
  store.range = (request, consistency) => {
    asked.push(consistency)
    return range(request, consistency)
  }
  const made = await ask('PUT', '/v1/units/hello%403.service', { desired: 'launched' })
  store.range = range
  t.same(asked, ['linearizable', 'local'], 'the leader is asked once for what is read')
  t.match(made, { status: 201, value: { name: 'hello@3.service', desired: 'launched' } })
  t.equal((await ask('GET', '/v1/units/hello@3.service')).value.file, file)
  const rows: UnitsAnswer = (await ask('GET', '/v1/units')).value
  t.same(
    rows.units.map(({ name }) => name),
    ['hello@3.service'],
  )
})

t.test('who writes through a follower finds there what he wrote', async (t) => {
  const { ask, store } = await makeNode()
  // The follower hears of a commit with its leader's next heartbeat, or when it asks the leader.
  const written = store.transact
  let behind = 0
  store.transact = async (transaction) => {
    const result = await written(transaction)
    behind = result.revision
    return result
  }
  const { view, range } = store
  const shown = (own: Revision): Revision => (behind > 0 ? revision(behind - 1) : own)
  store.view = async () => {
    const now = await view()
    return { ...now, revision: shown(now.revision) }
  }
  store.range = async (request, consistency) => {
    if (consistency === 'linearizable') behind = 0
    const seen = await range(request, consistency)
    return behind > 0 ? { ...seen, items: [], revision: shown(seen.revision) } : seen
  }
  const file = unitFile('busybox true')
  t.match(await ask('PUT', '/v1/units/new.service', { file, desired: 'launched' }), { status: 201 })
  const { units }: UnitsAnswer = (await ask('GET', '/v1/units')).value
  t.same(
    units.map(({ name }) => name),
    ['new.service'],
  )
  store.range = async (request, consistency) => {
    if (consistency === 'linearizable' && behind > 0)
      throw new JangadaError('JGD_NO_QUORUM', 'gone')
    return range(request, consistency)
  }
  const stop = await ask('POST', '/v1/units/new.service/state', { desired: 'inactive' })
  t.match(stop, { status: 200 }, 'what is written is not refused because nobody leads any more')
})

t.test('why a unit is where it is, machine by machine', async (t) => {
  const node = await makeNode()
  node.store.put(
    machine(ids.n1, 'n1', { metadata: { disk: 'ssd' } }),
    machine(ids.n2, 'n2'),
    machine(ids.n3, 'n3', { status: 'lost' }),
  )
  const file = unitFile('busybox true', '[X-Fleet]\nMachineMetadata=disk=ssd\n')
  await node.ask('PUT', '/v1/units/fast.service', { file, desired: 'launched' })
  const before: WhyAnswer = (await node.ask('GET', '/v1/units/fast.service/why')).value
  t.equal(before.isPlaced, false)
  t.match(before.machines, [
    { name: 'n1', verdict: 'possible', reason: /first choice/ },
    { name: 'n2', verdict: 'refused', reason: 'MachineMetadata asks for disk=ssd; it is not set' },
    { name: 'n3', verdict: 'refused', reason: 'the machine is lost' },
  ])
  node.store.put(placement('fast.service', ids.n1))
  const after: WhyAnswer = (await node.ask('GET', '/v1/units/fast.service/why')).value
  t.match(after, {
    isPlaced: true,
    machines: [{ name: 'n2' }, { name: 'n1', verdict: 'placed' }, {}],
  })
})

t.test('who waits for the storm brake is told so, where it may run', async (t) => {
  const node = await makeNode()
  // Long after it began it holds for those that are left.
  const lostNow = { status: 'lost', statusSinceMs: clock.wallMs() - 120_000 } as const
  const lost = ['4', '5', '6'].map((n) => machineId(n.repeat(32)))
  node.store.put(
    machine(ids.n1, 'n1'),
    ...lost.map((id, at) => machine(id, `n${at + 4}`, lostNow)),
    placement('a.service', lost[0]!),
  )
  await node.ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
  await node.ask('PUT', '/v1/units/b.service', { file: unitFile(), desired: 'launched' })
  const first = async (name: string): Promise<string> =>
    (await node.ask('GET', `/v1/units/${name}/why`)).value.machines[0].reason
  t.match(await first('a.service'), /first choice.*its turn: 3 of 4 machines.* at 25 a second/)
  t.notMatch(await first('b.service'), /turn/, 'a new unit is no replacement')
  node.store.put(machine(lost[2]!, 'n6'))
  t.notMatch(await first('a.service'), /turn/, 'two may go by themselves')
})

t.test('what a lost machine last said is not what is', async (t) => {
  const node = await makeNode()
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  await node.ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
  node.store.put(placement('a.service', ids.n1))
  node.store.put(state(node, 'a.service', ids.n1))
  node.store.put(machine(ids.n1, 'n1', { status: 'lost' }))
  const { value } = await node.ask('GET', '/v1/units')
  t.match(value.units, [{ machine: ids.n1, active: 'unknown', sub: 'lost' }])

  t.comment('placed elsewhere, then the old machine returns with its copy still running')
  node.store.put({ kind: 'delete', key: placements.key(ids.n1, 'a.service') })
  node.store.put(placement('a.service', ids.n2), machine(ids.n1, 'n1'))
  const both: UnitsAnswer = (await node.ask('GET', '/v1/units')).value
  t.same(
    both.units.map((row) => [row.machineName, row.active]),
    [
      ['n2', 'inactive'],
      ['n1', 'active'],
    ],
  )
})

t.test('output comes from where the unit is', async (t) => {
  const asked: unknown[] = []
  const node = await makeNode({
    unitLogs: async function* (place, options) {
      asked.push({ ...place, ...options })
      if (place.machine === ids.n3) {
        throw new JangadaError('JGD_MACHINE_UNREACHABLE', 'n3 does not answer')
      }
      yield utf8('one\n')
      yield utf8('two\n')
    },
  })
  const { ask } = node
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'), machine(ids.n3, 'n3'))
  await ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
  const none = await ask('GET', '/v1/units/a.service/logs')
  t.match(none.value.error, { code: 'JGD_NOT_FOUND', hint: 'jangada why a.service' })
  node.store.put(placement('a.service', ids.n2))
  t.equal((await ask('GET', '/v1/units/a.service/logs?tail=5&follow')).text, 'one\ntwo\n')
  t.same(asked, [{ unit: 'a.service', machine: ids.n2, tail: 5, follow: true }])
  const bad = await ask('GET', '/v1/units/a.service/logs?tail=-1')
  t.match(bad.value.error, { code: 'JGD_BAD_REQUEST' })

  node.store.put(placement('a.service', ids.n3))
  const which = await ask('GET', '/v1/units/a.service/logs')
  t.match(which.value.error, { code: 'JGD_CONFLICT', hint: /--machine: n2, n3/ })
  const gone = await ask('GET', '/v1/units/a.service/logs?machine=n3')
  t.match(gone, { status: 502, value: { error: { code: 'JGD_MACHINE_UNREACHABLE' } } })
})

t.test('a hash that an earlier binary made in another way replaces nothing', async (t) => {
  const node = await makeNode()
  const file = '[Service]\nExecStart=/usr/bin/docker run \\\n  busybox\n'
  await node.ask('PUT', '/v1/units/web.service', { file, desired: 'launched' })
  const { items } = await node.store.range({ key: unitRecords.key('web.service') }, 'local')
  const record = items[0] && unitRecords.read(items[0])?.value
  t.ok(record)
  if (record === undefined) return
  const old = 'a'.repeat(40)
  node.store.put(unitRecords.put({ ...record, hash: old }, 'web.service'))

  const again = await node.ask('PUT', '/v1/units/web.service', { file, desired: 'launched' })
  t.match(again, { status: 200, value: { created: false, replaced: false, hash: old } })
  const replaced = await node.ask('PUT', '/v1/units/web.service', { file, replace: true })
  t.match(replaced, { status: 200, value: { replaced: false, hash: old, desired: 'launched' } })
  const options = [
    { section: 'Service', name: 'ExecStart', value: '/usr/bin/docker run \\\n  busybox' },
  ]
  const asJson = { headers: { 'content-type': 'application/json' } }
  const fleets = { options, desiredState: 'launched' }
  t.match(await node.ask('PUT', '/fleet/v1/units/web.service', fleets, asJson), { status: 204 })
  t.match((await node.ask('GET', '/v1/units/web.service')).value, { hash: old })
})

t.test('what an older member could not read is not written before it is upgraded', async (t) => {
  const node = await makeNode()
  node.store.put(machine(ids.n1, 'n1', { featureLevel: 2 }))
  const { items } = await node.store.range({ key: clusterSettings.key('cluster') }, 'local')
  const settings = items[0] && clusterSettings.read(items[0])?.value
  if (settings !== undefined) {
    node.store.put(clusterSettings.put({ ...settings, featureLevel: 2 }, 'cluster'))
  }
  const section = { file: '[Container]\nImage=busybox\n' }
  const refused = await node.ask('PUT', '/v1/units/web.service', section)
  t.match(refused, { status: 409, value: { error: { code: 'JGD_FEATURE_LEVEL' } } })
  const spread = { file: unitFile('busybox', '[X-Fleet]\nSpread=zone\n') }
  t.match(await node.ask('PUT', '/v1/units/web.service', spread), { status: 409 })
  const asFleet = { file: unitFile('busybox', '[X-Fleet]\nGlobal=true\n') }
  t.match(await node.ask('PUT', '/v1/units/web.service', asFleet), { status: 201 })
  const ahead = [{ op: 'add', path: `/${'9'.repeat(32)}/metadata/zone`, value: 'a' }]
  t.match(await node.ask('PATCH', '/fleet/v1/machines', ahead), { status: 409 })
})

t.test(
  'a write that is committed is told so, though nobody says how far this node is',
  async (t) => {
    const node = await makeNode()
    node.store.view = async () => {
      throw new JangadaError('JGD_UNREACHABLE', 'no member answers')
    }
    const made = await node.ask('PUT', '/v1/units/web.service', { file: unitFile() })
    t.equal(made.status, 201)
  },
)

t.test('a plan tells each machine that a global unit would leave', async (t) => {
  const node = await makeNode()
  for (const [id, name, disk] of [
    [ids.n1, 'n1', 'hdd'],
    [ids.n2, 'n2', 'hdd'],
    [ids.n3, 'n3', 'ssd'],
  ] as const) {
    node.store.put(machine(id, name, { metadata: { disk } }))
  }
  const file = (rules: string): string =>
    unitFile('busybox true', `[X-Fleet]\nGlobal=true\n${rules}\n`)
  await node.ask('PUT', '/v1/units/all.service', { file: file(''), desired: 'launched' })
  for (const id of [ids.n1, ids.n2]) node.store.put(placement('all.service', id))
  const units = [{ name: 'all.service', file: file('MachineMetadata=disk=ssd') }]
  const { value } = await node.ask('POST', '/v1/plan', { units, replace: true })
  t.same(
    value.rows.map(({ change, machineName }: PlanRow) => `${change} ${machineName}`).toSorted(),
    ['start n3', 'stop n1', 'stop n2'],
  )
})

t.test('labels that were taken away do not fill a machine up', async (t) => {
  const node = await makeNode()
  node.store.put(machine(ids.n2, 'n2'))
  const label = (metadata: Record<string, string | null>) =>
    node.ask('PATCH', '/v1/machines/n2', { metadata })
  for (let at = 0; at < 70; at += 1) {
    t.equal((await label({ [`deploy-${at}`]: 'x' })).status, 200)
    t.equal((await label({ [`deploy-${at}`]: null })).status, 200)
  }
  const many = Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`real-${at}`, 'x']))
  t.match(await label(many), { status: 200 })
  t.match(await label({ more: 'x' }), { status: 400 }, 'and labels do')
})
