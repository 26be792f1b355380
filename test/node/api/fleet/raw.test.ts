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
  t.match(list, { status: 200, headers: { 'content-type': 'application/json' } })
  t.equal(list.body, `{"machines":[{"id":"${ids.n2}","primaryIP":"10.77.0.2"}]}`)
  const absent = await ask('GET', '/fleet/v1/units/none.service')
  t.match(absent, { status: 404, headers: { 'content-type': 'application/json' } })
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
})

t.test('a token that comes twice is one too many', async (t) => {
  const twice = await ask('GET', '/fleet/v1/units?nextPageToken=ZAACAA==&nextPageToken=ZAACAA==')
  t.match(twice, { status: 400, body: /too many values for page token/ })
})

t.test('labels are patched as curl -d sends them', async (t) => {
  const patch = JSON.stringify([{ op: 'add', path: `/${ids.n2}/metadata/zone`, value: 'a' }])
  const form = 'application/x-www-form-urlencoded'
  t.match(await ask('PATCH', '/fleet/v1/machines', patch, form), { status: 204, body: '' })
  t.match((await ask('GET', '/fleet/v1/machines')).body, '"metadata":{"zone":"a"}')
})
