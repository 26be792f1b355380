import t from 'tap'
import { memberId, term } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import type { StatusReport } from '../../../src/node/api/answers.ts'
import type { ApiRequest } from '../../../src/node/api/messages.ts'
import { Api } from '../../../src/node/api/api.ts'
import {
  ids,
  machine,
  makeNode,
  type Node,
  placement,
  request,
  state,
  unitFile,
} from './fixture.ts'

const plain: Partial<ApiRequest> = { door: 'plain' }
const browser: Partial<ApiRequest> = { ...plain, headers: { accept: 'text/html,*/*;q=0.8' } }

async function populated(): Promise<Node> {
  const node = await makeNode()
  node.store.put(
    machine(ids.n1, 'n1'),
    machine(ids.n2, 'n2', { status: 'lost', metadata: { disk: 'ssd' } }),
    keyspace.members.put(
      {
        v: 1,
        memberId: 1,
        machineId: ids.n1,
        address: '10.77.0.1:7382',
        incarnation: 'i',
        addedMs: 1,
      },
      '1',
    ),
    keyspace.members.put(
      {
        v: 1,
        memberId: 2,
        machineId: ids.n2,
        address: '10.77.0.2:7382',
        incarnation: 'j',
        addedMs: 1,
      },
      '2',
    ),
  )
  await node.ask('PUT', '/v1/units/a.service', { file: unitFile(), desired: 'launched' })
  node.store.put(placement('a.service', ids.n1))
  node.store.put(state(node, 'a.service', ids.n1))
  return node
}

t.test('everybody is told the same of one revision', async (t) => {
  const node = await populated()
  const { value } = await node.ask('GET', '/status', undefined, plain)
  t.match(value, {
    cluster: node.init.clusterId,
    node: { machineId: ids.n1, name: 'n1', role: 'leader' },
    leader: { memberId: 1, machineId: ids.n1, name: 'n1' },
    term: 1,
    revision: node.store.store.revision,
    stale: false,
    members: [
      { id: 1, name: 'n1', role: 'voter', isLeader: true },
      { id: 2, name: 'n2', role: 'learner', isLeader: false },
    ],
    machines: [
      { name: 'n1', address: '10.77.0.1', status: 'ready', units: 1 },
      { name: 'n2', status: 'lost', metadata: { disk: 'ssd' }, units: 0 },
    ],
    units: [{ name: 'a.service', machineName: 'n1', active: 'active', sub: 'running' }],
    boots: [],
  })
  t.equal(value.events.at(-1).kind, 'unit.submitted')
  const follower = { ...node.store.leadership, role: 'follower', memberId: memberId(2) } as const
  const other = new Api({
    ...node.context,
    machineId: ids.n2,
    name: 'n2',
    store: Object.assign(Object.create(node.store), {
      view: async () => ({ ...(await node.store.view()), ...follower }),
    }),
  })
  const answer = await other.handle(request({ ...plain, path: '/status' }), AbortSignal.abort())
  const told = answer.body.kind === 'json' ? (answer.body.value as StatusReport) : undefined
  t.same({ ...told, node: value.node }, value)
  t.match(told?.node, { name: 'n2', role: 'follower' })
})

t.test('a node without quorum answers, and says how old that is', async (t) => {
  const node = await populated()
  await node.ask('GET', '/status', undefined, plain)
  node.store.leadership = {
    ...node.store.leadership,
    role: 'follower',
    leader: undefined,
    term: term(4),
    hasQuorum: false,
    staleForMs: 61_200,
  }
  const { status, value } = await node.ask('GET', '/status', undefined, plain)
  t.match({ status, value }, { status: 200, value: { leader: null, stale: { forMs: 61_200 } } })
  t.match((await node.ask('GET', '/v1/units')).value.stale, { forMs: 61_200 })
  const health = await node.ask('GET', '/health', undefined, plain)
  t.match(health, { status: 503, value: { ok: false, role: 'follower', leader: null } })
  const page = await node.ask('GET', '/status', undefined, browser)
  t.match(page.text, /at least 61\.2 s old/)

  t.comment('a client machine that reaches no member shows what it saw last')
  node.store.isReachable = false
  const cut = await node.ask('GET', '/status', undefined, plain)
  t.match(cut, { status: 200, value: { machines: [{ name: 'n1' }, { name: 'n2' }] } })
  t.ok(cut.value.stale.forMs >= 61_200)
  t.match(await node.ask('GET', '/health', undefined, plain), { status: 503 })
})

t.test('the setting decides how much is open to all', async (t) => {
  const node = await populated()
  const set = (status: 'counts' | 'off'): void => {
    const found = node.store.store.range({ key: keyspace.clusterSettings.key('cluster') })
    const item = found.kind === 'range' ? found.result.items[0] : undefined
    const settings = item && keyspace.clusterSettings.read(item)
    if (settings === undefined) throw new Error('a cluster has settings')
    node.store.put(keyspace.clusterSettings.put({ ...settings.value, status }, 'cluster'))
  }
  set('counts')
  const counts = await node.ask('GET', '/status', undefined, plain)
  t.match(counts.value.counts, { machines: { ready: 1, lost: 1 }, units: { active: 1 } })
  t.notMatch(counts.text, 'a.service')
  t.notMatch((await node.ask('GET', '/status', undefined, browser)).text, 'a.service')
  set('off')
  const off = await node.ask('GET', '/status', undefined, plain)
  t.match(off, { status: 403, value: { error: { code: 'JGD_FORBIDDEN' } } })
  t.match(await node.ask('GET', '/v1/status'), { status: 200, value: { units: [{}] } })
  t.match(await node.ask('GET', '/health', undefined, plain), { status: 200 })
})

t.test('what a unit said when it failed is for those who may read its output', async (t) => {
  const node = await populated()
  const message = 'a.service fails again and again on n1 (exit code 1: "password hunter2 is wrong")'
  const event = { v: 1, atMs: 1, severity: 'alarm', message, code: '', machine: ids.n1 } as const
  node.store.put(
    keyspace.events.put(
      { ...event, kind: 'unit.parked', unit: 'a.service' },
      '00000000000000000001-a',
    ),
  )
  node.store.put(
    state(node, 'a.service', ids.n1, { message: 'exit code 1: "password hunter2 is wrong"' }),
  )
  const open = await node.ask('GET', '/status', undefined, plain)
  const parked = open.value.events.find(({ kind }: { kind: string }) => kind === 'unit.parked')
  t.equal(parked.message, 'a.service fails again and again')
  t.notMatch(open.text, /hunter2/)
  t.notMatch((await node.ask('GET', '/status', undefined, browser)).text, /hunter2/)
  t.match((await node.ask('GET', '/v1/status')).text, /hunter2/)
})

t.test('who names no page is shown the status', async (t) => {
  const node = await populated()
  const { response } = await node.ask('GET', '/', undefined, browser)
  t.match(response, { status: 302, headers: { location: '/status' } })
})

t.test('text of others is text on the page', async (t) => {
  const node = await populated()
  const evil = `<script>alert('x')</script>"&`
  node.store.put(
    machine(ids.n3, 'n3', { name: evil, metadata: { [evil]: evil }, address: evil }),
    keyspace.events.put(
      {
        v: 1,
        atMs: 1,
        kind: evil,
        severity: 'info',
        message: evil,
        code: '',
        machine: '',
        unit: '',
      },
      keyspace.eventKey(9e12, 'x'),
    ),
  )
  const { text, response } = await node.ask('GET', '/status', undefined, browser)
  t.notMatch(text, '<script')
  t.notMatch(text, `'x'`)
  t.match(text, '&#60;script&#62;')
  t.match(response.headers, { 'content-security-policy': /default-src 'none'/ })
})

/** Every text of a record, however deep, becomes a canary that names its own place. */
function withCanaries(value: unknown, place: string, keep: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return keep.has(place) ? value : `canary-${place}-end`
  if (Array.isArray(value)) return value.map((one) => withCanaries(one, place, keep))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, withCanaries(one, `${place}.${key}`, keep)]),
  )
}

/** What `/status` is for, and nothing else may come through. */
const open = [
  'machines.name',
  'machines.address',
  'machines.metadata.disk',
  'members.address',
  'units.hash',
  'states.hash',
  'states.sub',
  'states.image',
  'events.message',
  'events.kind',
  'events.code',
  'events.machine',
  'events.unit',
]

t.test(
  'of all that the records hold, only what is listed comes through the open doors',
  async (t) => {
    const node = await populated()
    const bound = { v: 1, mac: '52:54:00:00:00:09', address: 'a', uuid: 'u', link: 'l', boundMs: 1 }
    node.store.put(
      keyspace.bindingsByMachine.put(bound as never, bound.mac),
      keyspace.images.put(
        { v: 1, name: 'i', importedMs: 1, kernelVersion: 'k', files: [], holders: [] },
        'i',
      ),
    )
    // Fields with a pattern or a fixed set of words cannot hold a canary; ids and names lead.
    const fixed = new Set(
      'id machineId machine name unit status roleCeiling desired active load keyHash secretHash state by mac macs severity clusterId admission scope'.split(
        ' ',
      ),
    )
    const kinds: Record<string, { prefix: string }> = { ...keyspace } as never
    const { items } = await node.store.range({ key: '/', rangeEnd: '0' }, 'local')
    // Those that only take digests are looked for as they are.
    const digests = new Set<string>()
    let planted = 0
    for (const item of items) {
      const kind = Object.keys(kinds).find((name) =>
        item.key.startsWith(kinds[name]?.prefix ?? '-'),
      )
      if (kind === undefined) continue
      const value = JSON.parse(new TextDecoder().decode(item.value)) as Record<string, unknown>
      const keep = new Set([...fixed].map((field) => `${kind}.${field}`))
      keep.delete('machines.name')
      if (kind === 'units') keep.add('units.name')
      if (kind === 'tokens') keep.add('tokens.id')
      for (const [, digest = ''] of JSON.stringify(value).matchAll(/"([0-9a-f]{64})"/g)) {
        digests.add(digest)
      }
      const changed = withCanaries(value, kind, keep)
      node.store.put({ kind: 'put', key: item.key, value: utf8(JSON.stringify(changed)) })
      planted += 1
    }
    t.ok(planted > 12 && digests.size >= 3, 'records of every kind were changed')
    const seen = new Set<string>()
    for (const path of ['/status', '/health', '/metrics']) {
      for (const door of [plain, browser]) {
        const { text } = await node.ask('GET', path, undefined, door)
        for (const [, place = ''] of text.matchAll(/canary-([\w.]+)-end/g)) seen.add(place)
        t.notMatch(text, node.init.adminToken.slice(-64))
        for (const digest of digests) t.notMatch(text, digest)
      }
    }
    t.same(
      [...seen].filter((place) => !open.includes(place)),
      [],
    )
    t.ok(seen.has('machines.name') && seen.has('states.image'), 'canaries can be seen at all')
  },
)
