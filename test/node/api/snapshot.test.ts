/** `GET /v1/snapshot`: everything that the cluster knows, for who may know it. */
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import type { ApiContext } from '../../../src/node/api/context.ts'
import type { ApiRequest } from '../../../src/node/api/messages.ts'
import { makeNode, request } from './fixture.ts'

const signal = new AbortController().signal
async function answerWith(
  saveSnapshot: ApiContext['saveSnapshot'],
  changes: Partial<ApiRequest> = {},
) {
  const { api } = await makeNode(saveSnapshot === undefined ? {} : { saveSnapshot })
  return api.handle(request({ path: '/v1/snapshot', ...changes }), signal)
}

t.test('it comes as it is made, and ends when whoever asked goes away', async (t) => {
  let ended = false
  const { status, body } = await answerWith(async function* () {
    try {
      yield utf8('a')
      yield utf8('b')
      yield utf8('c')
    } finally {
      ended = true
    }
  })
  t.equal(status, 200)
  const chunks = body.kind === 'stream' ? body.chunks : []
  const seen: unknown[] = []
  for await (const chunk of chunks) {
    seen.push(chunk)
    if (seen.length === 2) break
  }
  t.same(seen, [utf8('a'), utf8('b')])
  t.ok(ended, 'what it held of the past is let go')
})

t.test('what fails before the first byte is an answer with a code', async (t) => {
  const { status, body } = await answerWith(async function* () {
    yield await Promise.reject(new JangadaError('JGD_NO_QUORUM', 'nobody leads'))
  })
  t.match({ status, body }, { status: 503, body: { value: { error: { code: 'JGD_NO_QUORUM' } } } })
  const none = await answerWith(undefined)
  t.match(none, { status: 404, body: { value: { error: { code: 'JGD_NOT_FOUND' } } } })
})

t.test('without an admin token nobody gets it', async (t) => {
  let asked = 0
  const save = async function* () {
    asked += 1
    yield utf8('a')
  }
  const nobody = await answerWith(save, { door: 'tls' })
  t.match(nobody, { status: 401, body: { value: { error: { code: 'JGD_UNAUTHENTICATED' } } } })
  t.equal((await answerWith(save, { door: 'plain' })).status, 404, 'and not on the plain door')
  t.equal(asked, 0)
})
