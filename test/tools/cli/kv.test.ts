/** `jangada kv`, as a person or a script types it. */
import t from 'tap'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { quotaAlarm } from '../../../src/core/records/keyspace.ts'
import { openHttpClient } from '../../../src/platform/http-client.ts'
import type { ClientResponse } from '../../../src/ports/http-client.ts'
import { makeDesk } from './fixture.ts'

t.test('a value is put, listed, printed byte for byte, and deleted', async (t) => {
  const { say } = await makeDesk(t)
  t.match(await say(['kv', 'put', 'app/db', 'two words']), { code: 0, out: /^revision \d+\n$/ })
  t.same(await say('kv get app/db'), { code: 0, out: 'two words', err: '' })
  t.same((await say('kv get app/db', { isTty: true })).out, 'two words\n')
  await say('kv put app/raw //79 --base64')
  const bytes: Uint8Array[] = []
  const stdoutBytes = async (some: Uint8Array): Promise<void> => {
    bytes.push(some)
  }
  await say('kv get app/raw', { stdoutBytes })
  t.same(bytes, [Uint8Array.of(255, 254, 253)])
  t.same((await say('kv ls app/ --fields=key,version,value')).out.split('\n'), [
    'KEY      VERSION  VALUE',
    'app/db   1        two words',
    'app/raw  1        base64://79',
    '',
  ])
  t.same((await say('kv ls --fields=key --no-legend')).out, 'app/db\napp/raw\n')
  t.match(JSON.parse((await say('kv get app/db --json')).out), { item: { value: 'two words' } })
  t.same((await say('kv del --prefix app/')).out, '2 deleted\n')
  t.match(await say('kv get app/db'), { code: 1, err: /no key app\/db \(JGD_NOT_FOUND\)/ })
  t.match(await say('kv del app/db'), { code: 0, out: '0 deleted\n' })
})

t.test('a list of many keys comes whole, as of one revision', async (t) => {
  const { node, say } = await makeDesk(t)
  const value = utf8('v')
  for (let batch = 0; batch < 5; batch += 1) {
    node.store.put(
      ...Array.from({ length: 450 }, (_, n) => {
        const key = `many/${String(batch * 450 + n).padStart(5, '0')}`
        return { kind: 'put', key, value } as const
      }),
    )
  }
  const lines = (await say('kv ls many/ --fields=key --no-legend')).out.trim().split('\n')
  t.equal(lines.length, 2250)
  t.equal(new Set(lines).size, 2250)
  t.equal((await say('kv ls many/ --no-legend --limit 1001')).out.trim().split('\n').length, 1001)
})

t.test('a file is a value, whatever it holds', async (t) => {
  const { say } = await makeDesk(t)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(0, 255)
    yield utf8('text')
  }
  const openFile = async () => ({ bytes: 6, chunks: chunks() })
  t.match(await say('kv put logo --file logo.png', { openFile }), { code: 0 })
  t.match(JSON.parse((await say('kv get logo --json')).out).item, { value: 'AP90ZXh0' })
  t.match(await say('kv put logo'), { code: 2, err: /give VALUE, or --file/ })
})

t.test('cas writes only over what was expected, and says what stands there', async (t) => {
  const { say } = await makeDesk(t)
  t.match(await say('kv cas lock n1 --absent'), { code: 0, out: /revision/ })
  t.match(await say('kv cas lock n2 --absent'), { code: 1, err: /lock is n1 \(revision \d+\)/ })
  t.match(await say('kv cas lock n2 --expect n1'), { code: 0 })
  t.match(await say('kv cas lock --delete --expect n1'), { code: 1, err: /lock is n2/ })
  t.match(await say('kv cas lock --delete --expect n2'), { code: 0 })
  t.match(await say('kv cas lock n3 --revision 1'), { code: 1, err: /lock is not there/ })
  t.match(await say('kv cas lock n3'), { code: 2, err: /--expect VALUE, --absent or --revision/ })
  t.match(await say('kv cas lock --absent'), { code: 2, err: /give VALUE, or --delete/ })
})

t.test('a transaction from a file', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set(
    'move.json',
    JSON.stringify({
      compare: [{ key: 'a', target: 'value', to: null }],
      then: [{ op: 'put', key: 'a', value: '1' }],
      else: [
        { op: 'get', key: 'a' },
        { op: 'delete', prefix: 'tmp/' },
      ],
    }),
  )
  t.match(await say('kv txn move.json'), {
    code: 0,
    out: /every compare held; revision \d+\nput\n/,
  })
  t.match(await say('kv txn move.json'), {
    code: 1,
    out: /a compare did not hold; revision \d+\na = 1\ndeleted 0\n/,
  })
  files.set('bad.json', '{')
  t.match(await say('kv txn bad.json'), { code: 2, err: /bad\.json is not JSON/ })
  t.match(await say('kv txn nothing.json'), { code: 2, err: /there is no file/ })
})

t.test('what is not for users is refused with what to do instead', async (t) => {
  const { say } = await makeDesk(t)
  t.match(await say('kv put /jangada/units/a.service x'), {
    code: 1,
    err: /JGD_KEY_RESERVED\)\nnext: use a key of any other name/,
  })
  t.match(await say('kv set a b'), {
    code: 2,
    err: /there is no "kv set".*\nnext: one of: ls, get/,
  })
  t.match(await say('kv'), { code: 2, err: /say what to do/ })
})

t.test('a local read is told as one, with its age', async (t) => {
  const { node, say } = await makeDesk(t)
  await say('kv put a 1')
  node.store.leadership = { ...node.store.leadership, hasQuorum: false, staleForMs: 1500 }
  t.match(await say('kv get a'), { code: 1, err: /JGD_NO_QUORUM/ })
  t.match(await say('kv get a --local'), { code: 0, out: '1', err: /1500 ms ago/ })
})

t.test('leases on the keyboard', async (t) => {
  const { say } = await makeDesk(t)
  const id = (await say('kv lease grant 30s')).out.trim()
  t.match(id, /^[0-9a-f]{24}$/)
  await say(`kv put a 1 --lease ${id}`)
  t.match((await say('kv lease ls --no-legend')).out, `${id}  30s  1`)
  t.match(await say(`kv lease keepalive ${id}`), { code: 0, out: `${id} is kept\n` })
  const stop = new AbortController()
  let beats = 0
  const sleep = async (): Promise<void> => {
    beats += 1
    if (beats === 3) stop.abort()
  }
  const kept = await say(`kv lease keepalive ${id} --every 10s`, { sleep, signal: stop.signal })
  t.equal(kept.out, `${id} is kept\n`.repeat(3))
  t.match(await say(`kv lease revoke ${id}`), { code: 0, out: /its keys with it/ })
  t.match(await say('kv get a'), { code: 1 })
  t.match(await say(`kv lease keepalive ${id}`), { code: 1, err: /JGD_LEASE_UNKNOWN/ })
  t.match(await say('kv lease grant soon'), { code: 2, err: /TTL soon: write a time/ })
  t.match(await say('kv lease renew x'), { code: 2, err: /no "kv lease renew"/ })
  t.match(await say('kv lease grant'), { code: 2, err: /usage:/ })
})

t.test('a watch prints changes until Ctrl-C, and survives its node', async (t) => {
  const { node, say } = await makeDesk(t)
  const r = node.store.store.revision
  const stop = new AbortController()
  const lines: string[] = []
  const wanted = (count: number): Promise<void> =>
    new Promise((resolve) => {
      seen = () => lines.length >= count && resolve()
      seen()
    })
  let seen: () => void = () => undefined
  let connections = 0
  const watching = say(`kv watch --prefix app/ --revision ${r + 1}`, {
    signal: stop.signal,
    stdout: (text) => {
      lines.push(...text.trimEnd().split('\n'))
      seen()
    },
    openNode: (target) => {
      connections += 1
      const client = openHttpClient(target)
      if (connections > 1) return client
      return { request: async (one) => cutAfterFirstChange(await client.request(one)) }
    },
  })
  await say('kv put app/a 1')
  await wanted(1)
  await say('kv put app/b two\nlines'.split(' '))
  await say('kv put other 3')
  await say('kv del app/a')
  await wanted(3)
  stop.abort()
  t.match(await watching, { code: 0, err: 'jangada: the node does not answer; trying again\n' })
  t.same(lines, [
    `${r + 1} put app/a 1`,
    `${r + 2} put app/b "two\\nlines"`,
    `${r + 4} delete app/a`,
  ])
  t.equal(connections, 2)
})

/** As when the node is killed while somebody watches. */
const cutAfterFirstChange = (response: ClientResponse): ClientResponse => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of response.chunks) {
      yield chunk
      if (fromUtf8(chunk).includes('event: change')) break
    }
    throw new JangadaError('JGD_UNREACHABLE', 'the connection broke')
  }
  return { ...response, chunks: chunks() }
}

t.test('a watch that cannot begin says why', async (t) => {
  const { node, say } = await makeDesk(t)
  await say('kv put a 1')
  node.store.apply({ kind: 'compact', revision: node.store.store.revision })
  t.match(await say('kv watch a --revision 1'), { code: 1, err: /JGD_COMPACTED/ })
  t.match(await say('kv watch a --revision 9999'), { code: 1, err: /JGD_FUTURE_REVISION/ })
})

t.test('the quota, and what status says of a full store', async (t) => {
  const { node, say } = await makeDesk(t)
  t.match((await say('kv quota')).out, /quota +1\.0 GiB\n.*system alone +64\.0 MiB\nfull +no\n/)
  t.match((await say('kv quota 8MiB')).out, /quota +8\.0 MiB/)
  t.match((await say('status')).out, /store +\d+\.\d KiB of 7\.0 MiB\n/)
  t.match(await say('kv quota much'), { code: 2, err: /write a size such as 512MiB/ })
  const room = { usedBytes: 1, quotaBytes: 2, reserveBytes: 1 }
  node.store.put(quotaAlarm.put({ v: 1, sinceMs: Date.now() - 5000, ...room }, 'alarm'))
  t.match((await say('kv quota')).out, /full +since 5s ago/)
  const { out } = await say('status')
  t.match(out, /of 7\.0 MiB, FULL\n/)
  t.match(out, /not as it should be:\n  the store is full, or nearly/)
})
