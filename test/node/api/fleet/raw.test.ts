/** fleet's API through the unix socket, as fleetctl and curl speak to it: status line, headers, bytes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { openDoor } from '../../../../src/platform/http-server.ts'
import { ids, machine, makeNode, silent } from '../fixture.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'fleet-raw-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const socketPath = path.join(directory, 'jangada.sock')
const node = await makeNode()
node.store.put(machine(ids.n2, 'n2'))
const door = await openDoor(node.api, { kind: 'socket', path: socketPath }, silent)
t.teardown(() => door.close())

interface Raw {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const ask = (method: string, target: string, body = '', type?: string): Promise<Raw> =>
  new Promise((resolve, reject) => {
    const headers = type === undefined ? {} : { 'content-type': type }
    const asked = request({ socketPath, method, path: target, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text += piece))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })

const unit = JSON.stringify({
  desiredState: 'inactive',
  options: [{ section: 'Service', name: 'ExecStart', value: '/usr/bin/docker run busybox' }],
})

t.test('a success has no body, and says nothing of one', async (t) => {
  const made = await ask(
    'PUT',
    '/fleet/v1/units/web.service',
    unit,
    'application/json; charset=utf-8',
  )
  t.match(made, { status: 201, body: '' })
  t.notOk('content-type' in made.headers)
  const gone = await ask('DELETE', '/fleet/v1/units/web.service')
  t.match(gone, { status: 204, body: '' })
})

t.test('answers and refusals are application/json, and nothing more', async (t) => {
  const list = await ask('GET', '/fleet/v1/machines')
  t.equal(list.status, 200)
  t.equal(list.headers['content-type'], 'application/json')
  t.equal(list.body, `{"machines":[{"id":"${ids.n2}","primaryIP":"10.77.0.2"}]}`)
  const absent = await ask('GET', '/fleet/v1/units/none.service')
  t.equal(absent.status, 404)
  t.equal(absent.headers['content-type'], 'application/json')
  t.equal(absent.body, '{"error":{"code":404,"message":"unit does not exist"}}')
  const broken = await ask('PUT', '/fleet/v1/units/web.service', '{"options":', 'application/json')
  t.match(broken, { status: 400, body: /"message":"unable to decode body: / })
  const empty = await ask('PUT', '/fleet/v1/units/web.service', '', 'application/json')
  t.match(empty, {
    status: 400,
    body: '{"error":{"code":400,"message":"unable to decode body: EOF"}}',
  })
  const untyped = await ask('PUT', '/fleet/v1/units/web.service', unit)
  t.match(untyped, { status: 415, body: /expected 1 Content-Type, got 0/ })
  const form = await ask(
    'PUT',
    '/fleet/v1/units/web.service',
    unit,
    'application/x-www-form-urlencoded',
  )
  t.match(form, { status: 415, body: /only acceptable Content-Type is application\/json/ })
  for (const type of ['', 'application/', 'x/y/z', 'application/json, text/plain']) {
    const odd = await ask('PUT', '/fleet/v1/units/web.service', unit, type)
    t.match(odd, { status: 415, body: /only acceptable Content-Type/ }, `${type}: no media type`)
  }
})

t.test('what fleet refuses is refused in its words, and in no others', async (t) => {
  const refused = async (...rules: readonly (readonly [string, string])[]): Promise<string> => {
    const fleet = rules.map(([name, value]) => ({ section: 'X-Fleet', name, value }))
    const { options } = JSON.parse(unit) as { readonly options: readonly object[] }
    const body = JSON.stringify({ options: [...options, ...fleet] })
    const answer = await ask('PUT', '/fleet/v1/units/web.service', body, 'application/json')
    t.equal(answer.status, 400, answer.body)
    return (JSON.parse(answer.body) as { error: { message: string } }).error.message
  }
  const [id, of, conflicts, replaces, global] = [
    ['X-ConditionMachineID', ids.n1],
    ['MachineOf', 'db.service'],
    ['X-Conflicts', 'c*.service'],
    ['Replaces', 'r*.service'],
    ['Global', 'true'],
  ] as const
  t.equal(await refused(id, of), 'MachineID cannot be used with Peers')
  t.equal(await refused(of, conflicts, id), 'MachineID cannot be used with Peers', 'the first')
  t.equal(await refused(global, of), 'Global cannot be used with Peers')
  t.equal(await refused(conflicts, replaces), 'Conflicts cannot be used with Replaces')
  t.equal(
    await refused(of, ['Conflicts', 'd?.service'], ['Conflicts', '[']),
    'unresolvable requirements: peer "db.service" matches conflict "d?.service"',
  )
  t.match(
    await refused(['Conflicts', '[']),
    /^web\.service:5: Conflicts=\[/,
    'our own are told more of',
  )
})

t.test('names and paths are read as fleet reads them', async (t) => {
  const put = async (name: string): Promise<Raw> =>
    await ask('PUT', `/fleet/v1/units/${name}`, unit, 'application/json')
  t.match(await put('a%2Fb.service'), { status: 404, body: '"message":""' })
  for (const [name, quoted] of [
    ['a%00.service', String.raw`\\x00`],
    ['a%0a.service', String.raw`\\n`],
    ["a'b.service", String.raw`\\'`],
    ['a%E2%82%AC.service', '€'],
    ['a%C2%A0b.service', String.raw`\\u00a0`],
  ] as const) {
    const message = `"message":"invalid character '${quoted}' in unit name"`
    t.match(await put(name), { status: 400, body: message })
  }
})

t.test('a token that comes twice is one too many', async (t) => {
  const twice = await ask('GET', '/fleet/v1/units?nextPageToken=ZAACAA==&nextPageToken=ZAACAA==')
  t.match(twice, { status: 400, body: /too many values for page token/ })
})

t.test('a token that is none is refused in the words of who reads it in fleet', async (t) => {
  for (const [token, message] of [
    ['', 'EOF'],
    ['e30=', 'unexpected EOF'],
    ['x', 'illegal base64 data at input byte 0'],
    ['ZAACAA', 'illegal base64 data at input byte 4'],
    ['ZA!CAA==', 'illegal base64 data at input byte 2'],
    ['ZQABAA==', 'token limit must be 100'],
    ['ZAAAAA==', 'token page must be greater than zero'],
  ] as const) {
    const answer = await ask('GET', `/fleet/v1/state?nextPageToken=${encodeURIComponent(token)}`)
    t.match(answer, { status: 400, body: `"message":"${message}"` })
  }
})

t.test('labels are patched as curl -d sends them', async (t) => {
  const patch = JSON.stringify([{ op: 'add', path: `/${ids.n2}/metadata/zone`, value: 'a' }])
  const form = 'application/x-www-form-urlencoded'
  t.match(await ask('PATCH', '/fleet/v1/machines', patch, form), { status: 204, body: '' })
  t.match((await ask('GET', '/fleet/v1/machines')).body, '"metadata":{"zone":"a"}')
  await ask('PATCH', '/fleet/v1/machines', patch.replace('zone', 'disk'), form)
  const both = '"metadata":{"disk":"a","zone":"a"}'
  t.match((await ask('GET', '/fleet/v1/machines')).body, both, 'in the order of names')
  t.match(await ask('PATCH', '/fleet/v1/machines', ''), { status: 400, body: '"message":"EOF"' })
})
