/** What fleet's own clients send and read, byte for byte where they look at bytes. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { utf8 } from '../../../../src/base/bytes.ts'
import { units } from '../../../../src/core/records/keyspace.ts'
import type { ApiRequest } from '../../../../src/node/api/messages.ts'
import { register } from '../../../../src/node/agent/register.ts'
import { clock, entropy, ids, machine, makeNode, type Node, placement, state } from '../fixture.ts'

const asJson = { headers: { 'content-type': 'application/json' } }
const option = (section: string, name: string, value: string) => ({ section, name, value })
const execStart = option('Service', 'ExecStart', '/usr/bin/docker run busybox sleep 60')
const stranger = '9'.repeat(32)

interface Answer {
  readonly status: number
  readonly text: string
  readonly type: string | undefined
}

/** A door to one node's `/fleet/v1`, as fleetctl knocks. */
function door(node: Node) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    changes: Partial<ApiRequest> = asJson,
  ): Promise<Answer> => {
    const { status, text, response } = await node.ask(method, `/fleet/v1${path}`, body, changes)
    return { status, text, type: response.body.kind === 'text' ? response.body.type : undefined }
  }
}

const refusal = (code: number, message: string): Answer => ({
  status: code,
  text: JSON.stringify({ error: { code, message } }),
  type: 'application/json',
})
const done = (status: number): Answer => ({ status, text: '', type: undefined })

t.test('a unit is made, changed, replaced and destroyed', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  node.store.put(machine(ids.n2, 'n2'))
  t.same(await fleet('GET', '/units'), { status: 200, text: '{}', type: 'application/json' })

  const body = { desiredState: 'launched', options: [execStart] }
  t.same(await fleet('PUT', '/units/web.service', body), done(201))
  t.same(await fleet('PUT', '/units/web.service', { desiredState: 'loaded' }), done(204))
  t.same(await fleet('PUT', '/units/web.service', { ...body, name: 'web.service' }), done(204))

  const options = [execStart, option('X-Fleet', 'Conflicts', 'web*'), option('Unit', 'After', '')]
  t.same(await fleet('PUT', '/units/web.service', { options }), done(201), 'other content')
  t.equal(
    (await fleet('GET', '/units/web.service')).text,
    '{"currentState":"inactive","desiredState":"inactive","name":"web.service","options":[' +
      '{"name":"ExecStart","section":"Service","value":"/usr/bin/docker run busybox sleep 60"},' +
      '{"name":"Conflicts","section":"X-Fleet","value":"web*"},{"name":"After","section":"Unit"}]}',
    'as fleet writes it, what is empty left out',
  )

  t.same(await fleet('DELETE', '/units/web.service'), done(204))
  const gone = refusal(404, 'unit does not exist')
  t.same(await fleet('DELETE', '/units/web.service'), gone)
  t.same(await fleet('GET', '/units/web.service'), gone)
  t.same(await fleet('GET', '/units/none'), gone)
  t.same(await fleet('DELETE', '/units/none'), gone)
})

t.test('a plainly written file has its own SHA-1 as its hash, however it came', async (t) => {
  const file =
    '[Unit]\nDescription=Browsers\n\n' +
    '[Service]\nExecStart=/usr/bin/docker run \\\n  --shm-size 1g \\\n  busybox\n'
  const options = [
    option('Unit', 'Description', 'Browsers'),
    option('Service', 'ExecStart', '/usr/bin/docker run \\\n  --shm-size 1g \\\n  busybox'),
  ]
  const sha1 = createHash('sha1').update(file).digest('hex')
  for (const how of ['fleet', 'ours']) {
    const node = await makeNode()
    const made =
      how === 'fleet'
        ? await door(node)('PUT', '/units/web.service', { options })
        : await node.ask('PUT', '/v1/units/web.service', { file })
    t.equal(made.status, 201)
    t.match((await node.ask('GET', '/v1/units/web.service')).value, { hash: sha1, file })
    t.match(JSON.parse((await door(node)('GET', '/units/web.service')).text), { options })
    // What fleetctl asks before it says that a unit differs from its file.
    const again = await door(node)('PUT', '/units/web.service', { options, desiredState: 'loaded' })
    t.same(again, done(204))
  }
})

t.test('what fleet refuses is refused with its status and its words', async (t) => {
  const fleet = door(await makeNode())
  const put = (name: string, body: unknown): Promise<Answer> => fleet('PUT', `/units/${name}`, body)
  await put('here.service', { options: [execStart] })

  const noOptions = refusal(409, 'unit does not exist and options field empty')
  t.same(await put('web.service', { desiredState: 'launched' }), noOptions)
  const noState = refusal(409, 'must provide DesiredState to update existing unit')
  t.same(await put('here.service', {}), noState)
  t.same(await put('here.service', { options: [execStart] }), noState)
  t.same(
    await put('web.service', { name: 'x.service', options: [execStart] }),
    refusal(400, 'name in URL "web.service" differs from unit name in request body "x.service"'),
  )
  t.same(
    await put('a@.service', { options: [execStart], desiredState: 'launched' }),
    refusal(400, 'cannot activate template "a@.service"'),
  )
  t.match(await put('web.service', { options: 'many' }), {
    status: 400,
    text: /unable to decode body: /,
  })
  t.match(await put('web.service', { options: [execStart], desiredState: 'up' }), {
    status: 400,
    text: /invalid value \\"up\\" for JobState/,
  })
  for (const [name, reason] of [
    ['web', 'unit name must contain "."'],
    ['web.', 'unit name cannot end in "."'],
    ['web.pod', 'invalid unit type: "pod"'],
    ['a@b.mount', 'invalid unit type for template: "mount"'],
    ['w%20b.service', "invalid character ' ' in unit name"],
    ['@b.service', 'unit name cannot start in "@"'],
    [`${'w'.repeat(250)}.service`, 'unit name exceeds maximum length (256)'],
    ['web.timer', 'only services run here: a unit name ends in .service'],
  ] as const) {
    t.same(await put(name, { options: [execStart] }), refusal(400, reason), name)
  }
  const rules = [
    execStart,
    option('X-Fleet', 'Global', 'true'),
    option('X-Fleet', 'MachineOf', 'a.service'),
  ]
  t.match(await put('web.service', { options: rules }), {
    status: 400,
    text: /Global cannot be used with Peers/,
  })
  const smuggled = [option('Unit', 'Description', 'x\nExecStartPre=/bin/sh'), execStart]
  t.match(await put('web.service', { options: smuggled }), { status: 400 })
  t.match(await put('web.service', { options: [option('a]\n[b', 'c', 'd')] }), { status: 400 })
  t.same(
    await fleet('PUT', '/units/web.service', { options: [execStart] }, { headers: {} }),
    refusal(415, 'expected 1 Content-Type, got 0'),
  )
  const plain = { headers: { 'content-type': 'text/plain; charset=utf-8' } }
  t.same(
    await fleet('PUT', '/units/web.service', { options: [execStart] }, plain),
    refusal(415, 'only acceptable Content-Type is application/json'),
  )
  t.equal(JSON.parse((await fleet('GET', '/units')).text).units.length, 1, 'nothing came of it')
})

t.test('paths and methods that fleet does not have', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  const only = (methods: string) => refusal(405, `only ${methods} supported against this resource`)
  t.same(await fleet('POST', '/units'), only('GET'))
  t.same(await fleet('POST', '/units/web.service'), only('GET, PUT and DELETE'))
  t.same(await fleet('PUT', '/state'), only('GET'))
  t.same(await fleet('PUT', '/machines'), only('GET and PATCH'))
  t.same(await fleet('PUT', '/state/web.service'), only('GET'))
  t.same(
    await fleet('POST', '/discovery'),
    refusal(400, 'only HTTP GET supported against this resource'),
  )
  for (const path of ['/units/', '/units/a/b', '/machines/x', '/none', '/toString', '/']) {
    t.same(await fleet('GET', path), refusal(404, ''), path)
  }
  t.same(await fleet('GET', ''), refusal(405, ''))
  const outside = await node.ask('GET', '/fleet/v1/units', undefined, { door: 'plain' })
  t.match(outside, { status: 404, value: { error: { code: 'JGD_NOT_FOUND' } } })
  const unknown = await fleet('GET', '/units', undefined, { door: 'tls' })
  t.match(unknown, { status: 401, text: /^{"error":{"code":401,"message":"this door asks for/ })
})

t.test('how far a unit has come, from submitted to launched and back', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  node.store.put(machine(ids.n2, 'n2'))
  await fleet('PUT', '/units/web.service', { options: [execStart], desiredState: 'launched' })
  const come = async (): Promise<unknown> => {
    const one = JSON.parse((await fleet('GET', '/units/web.service')).text)
    const { units: all } = JSON.parse((await fleet('GET', '/units')).text)
    t.same(all, [one], 'the list says the same')
    return [one.currentState, one.machineID]
  }
  t.same(await come(), ['inactive', undefined])
  node.store.put(placement('web.service', ids.n2))
  t.same(await come(), ['inactive', ids.n2], 'scheduled, and its machine has not told of it')
  const tell = (active: 'inactive' | 'activating' | 'failed' | 'active', containerId: string) =>
    node.store.put(state(node, 'web.service', ids.n2, { active, sub: 'x', containerId }))
  tell('inactive', '')
  t.same(await come(), ['loaded', ids.n2])
  tell('activating', '')
  t.same(await come(), ['launched', ids.n2])
  tell('failed', 'c')
  t.same(await come(), ['launched', ids.n2], 'fleetctl start does not wait for what has failed')
  tell('inactive', 'c')
  t.same(await come(), ['launched', ids.n2], 'nor for what is done')
  node.store.put(placement('web.service', ids.n2, { desired: 'loaded' }))
  t.same(await come(), ['loaded', ids.n2])
  tell('active', 'c')
  t.same(await come(), ['launched', ids.n2], 'until it has stopped')
  node.store.put(machine(ids.n2, 'n2', { status: 'lost' }))
  t.same(await come(), ['inactive', ids.n2])
})

t.test('a global unit is scheduled nowhere', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  const global = [execStart, option('X-Fleet', 'Global', 'true')]
  await fleet('PUT', '/units/all.service', { options: global, desiredState: 'launched' })
  node.store.put(machine(ids.n2, 'n2'), placement('all.service', ids.n2))
  const one = JSON.parse((await fleet('GET', '/units/all.service')).text)
  t.notOk('currentState' in one || 'machineID' in one)
  const { units: all } = JSON.parse((await fleet('GET', '/units')).text)
  t.match(all, [{ currentState: 'inactive' }], "as fleet's list has it")
  t.notOk('machineID' in all[0])
})

t.test('states in systemd words, by unit and machine', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  node.store.put(machine(ids.n2, 'n2'), machine(ids.n3, 'n3'))
  for (const name of ['b.service', 'a.service']) {
    await fleet('PUT', `/units/${name}`, { options: [execStart], desiredState: 'launched' })
    for (const id of [ids.n3, ids.n2]) node.store.put(state(node, name, id))
  }
  node.store.put(state(node, 'destroyed.service', ids.n2))
  const listed = async (query: string): Promise<unknown> => {
    const { states = [] } = JSON.parse((await fleet('GET', `/state${query}`)).text)
    return states.map((one: { name: string; machineID: string }) => `${one.name}/${one.machineID}`)
  }
  const [a, b] = ['a.service', 'b.service']
  t.same(await listed(''), [`${a}/${ids.n2}`, `${a}/${ids.n3}`, `${b}/${ids.n2}`, `${b}/${ids.n3}`])
  t.same(await listed(`?machineID=${ids.n2}`), [`${a}/${ids.n2}`, `${b}/${ids.n2}`])
  t.same(await listed('?unitName=b.service&machineID='), [`${b}/${ids.n2}`, `${b}/${ids.n3}`])
  t.equal(
    (await fleet('GET', '/state/a.service')).text,
    `{"hash":"h","machineID":"${ids.n2}","name":"a.service","systemdActiveState":"active",` +
      '"systemdLoadState":"loaded","systemdSubState":"running"}',
  )
  t.same(await fleet('GET', '/state/none.service'), refusal(404, 'unit state does not exist'))
  node.store.put(machine(ids.n2, 'n2', { status: 'lost' }))
  t.same(await listed(''), [`${a}/${ids.n3}`, `${b}/${ids.n3}`], 'of a lost one nothing is known')
})

t.test('pages of a hundred, with tokens that say which', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  const record = (name: string) =>
    units.put(
      {
        v: 1,
        name,
        file: '[Service]\nExecStart=/usr/bin/docker run busybox\n',
        hash: 'h',
        desired: 'inactive',
        submittedMs: 1,
      },
      name,
    )
  for (let at = 0; at < 200; at += 1) node.store.put(record(`u${1000 + at}.service`))
  const page = async (token?: string) => {
    const query = token === undefined ? '' : `?nextPageToken=${encodeURIComponent(token)}`
    return JSON.parse((await fleet('GET', `/units${query}`)).text)
  }
  const first = await page()
  t.equal(first.units.length, 100)
  // Limit 100 and page 2, as Go's encoding/binary and base64.URLEncoding write them.
  t.equal(first.nextPageToken, 'ZAACAA==')
  const second = await page(first.nextPageToken)
  t.match(second.units[0], { name: 'u1100.service' })
  t.same(await page(second.nextPageToken), {}, 'a whole last page is followed by an empty one')
  const ask = (query: string, changes = {}) => fleet('GET', `/units?${query}`, undefined, changes)
  t.same(await ask('nextPageToken=ZQACAA=='), refusal(400, 'token limit must be 100'))
  t.same(await ask('nextPageToken=ZAAAAA=='), refusal(400, 'token page must be greater than zero'))
  for (const [bad, message] of [
    ['x', 'illegal base64 data at input byte 0'],
    ['ZAA=', 'unexpected EOF'],
    ['', 'EOF'],
    ['!!!!', 'illegal base64 data at input byte 0'],
  ] as const) {
    t.same(await ask(`nextPageToken=${bad}`), refusal(400, message), bad)
  }
  t.same(
    await ask('nextPageToken=ZAACAA==', { repeated: new Set(['nextPageToken']) }),
    refusal(400, 'too many values for page token'),
  )
})

t.test('machines, and labels that outlive them', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  node.store.put(
    machine(ids.n3, 'n3'),
    machine(ids.n2, 'n2', { metadata: { disk: 'hdd', zone: 'a' } }),
  )
  const list = async (): Promise<string> => (await fleet('GET', '/machines')).text
  t.equal(
    await list(),
    `{"machines":[{"id":"${ids.n2}","metadata":{"disk":"hdd","zone":"a"},"primaryIP":"10.77.0.2"},` +
      `{"id":"${ids.n3}","primaryIP":"10.77.0.3"}]}`,
  )
  const patch = (...ops: readonly unknown[]) => fleet('PATCH', '/machines', ops)
  const op = (name: string, id: string, key: string, value?: unknown) => ({
    op: name,
    path: `/${id}/metadata/${key}`,
    ...(value === undefined ? {} : { value }),
  })
  t.same(
    await patch(
      op('replace', ids.n2, 'disk', 'ssd'),
      op('remove', ids.n2, 'zone'),
      op('add', ids.n3, 'rack', { value: '7' }),
      op('add', ids.n3, 'rack', '8'),
    ),
    done(204),
  )
  const [n2, n3] = JSON.parse(await list()).machines
  t.same([n2.metadata, n3.metadata], [{ disk: 'ssd' }, { rack: '8' }], 'in order, the last wins')

  const badOp = refusal(400, 'invalid op: expect add, remove, or replace')
  t.same(await patch(op('add', ids.n3, 'x', '1'), op('noop', ids.n3, 'y', '1')), badOp)
  const badPath = refusal(400, 'machine metadata path invalid')
  t.same(await patch({ op: 'add', path: `/${ids.n3}/foo`, value: 'x' }), badPath)
  t.same(await patch(op('add', 'no-id', 'foo', 'x')), badPath)
  const noValue = refusal(400, 'invalid value: add and replace require a value')
  t.same(await patch(op('replace', ids.n3, 'x')), noValue)
  t.same(await patch(op('replace', ids.n3, 'x', '')), noValue)
  t.match(await fleet('PATCH', '/machines', { op: 'add' }), { status: 400 })
  t.same(JSON.parse(await list()).machines[1].metadata, { rack: '8' }, 'nothing came of any of it')

  // As `curl -d` sends it, which names a form.
  async function* upload(): AsyncGenerator<Uint8Array> {
    yield utf8(JSON.stringify([op('add', ids.n3, 'shelf', 'hëll')]))
  }
  const form = {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    upload: upload(),
  }
  t.same(await fleet('PATCH', '/machines', undefined, form), done(204))
  t.same(JSON.parse(await list()).machines[1].metadata, { rack: '8', shelf: 'hëll' })
})

t.test('a machine that nobody has seen has its labels when it comes', async (t) => {
  const node = await makeNode()
  const fleet = door(node)
  const path = `/${stranger}/metadata`
  const ops = [
    { op: 'add', path: `${path}/zone`, value: 'b' },
    { op: 'remove', path: `${path}/disk` },
  ]
  t.same(await fleet('PATCH', '/machines', ops), done(204))
  const context = { machineId: stranger as typeof ids.n1, store: node.store, clock, entropy }
  const facts = {
    name: 'late',
    address: '10.77.0.9',
    keyHash: 'b'.repeat(64),
    metadata: { disk: 'ssd', rack: '1' },
    bootId: 'boot',
    cpus: 1,
    memoryBytes: 1,
    durable: false,
    version: '0.1.0',
    liveRestore: true,
  }
  t.equal(await register(context, facts), 'written')
  const { machines } = JSON.parse((await fleet('GET', '/machines')).text)
  t.match(machines, [{ id: stranger, metadata: { rack: '1', zone: 'b' } }])
  t.notOk('disk' in machines[0].metadata)
  t.equal(await register(context, { ...facts, bootId: 'again' }), 'written')
  const again = JSON.parse((await fleet('GET', '/machines')).text)
  t.match(again.machines, [{ metadata: { rack: '1', zone: 'b' } }], 'and keeps them')
})

t.test('the discovery document names every method and entity that is answered', async (t) => {
  const { text } = await door(await makeNode())('GET', '/discovery')
  const { resources, schemas, servicePath } = JSON.parse(text)
  t.equal(servicePath, 'fleet/v1/')
  const methods = Object.values(resources).flatMap((one) =>
    Object.values((one as { methods: Record<string, { id: string; path: string }> }).methods),
  )
  t.same(
    methods.map(({ id, path }) => `${id} ${path}`),
    [
      'fleet.Machine.List machines',
      'fleet.Unit.List units',
      'fleet.Unit.Get units/{unitName}',
      'fleet.Unit.Delete units/{unitName}',
      'fleet.Unit.Set units/{unitName}',
      'fleet.UnitState.Get state/{unitName}',
      'fleet.UnitState.List state',
    ],
  )
  t.same(Object.keys(schemas), [
    'Machine',
    'MachinePage',
    'UnitOption',
    'Unit',
    'UnitPage',
    'UnitState',
    'UnitStatePage',
  ])
})
