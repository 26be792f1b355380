/** A watch through the real web server, by a client that stops reading. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { openDoor } from '../../src/platform/http-server.ts'
import { makeNode, silent } from '../node/api/fixture.ts'

t.test('who stops reading is told whole revisions, and then that it is too late', async (t) => {
  const node = await makeNode()
  const directory = mkdtempSync(path.join(tmpdir(), 'jangada-watch-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const at = path.join(directory, 's.sock')
  const door = await openDoor(node.api, { kind: 'socket', path: at }, silent)
  t.teardown(() => door.close())
  const first = node.store.store.revision + 1

  const socket = connect({ path: at })
  t.teardown(() => socket.destroy())
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (more: string) => {
    text += more
  })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve))
  }
  socket.write(`GET /v1/kv/watch?prefix=big/&revision=${first} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await until(() => text.includes('event: progress'))
  socket.pause()
  // Twice what the history holds: whoever kept all of it would deliver all of it.
  const value = 'x'.repeat(1_000_000)
  const count = 64
  for (let n = 0; n < count; n += 1) {
    await node.ask('PUT', `/v1/kv?key=big/${n % 3}`, { value })
    await new Promise((resolve) => setImmediate(resolve))
  }
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  await until(() => text.includes('event: error'))
  socket.end()
  await ended

  const ids = [...text.matchAll(/^event: change\nid: (\d+)$/gm)].map(([, id]) => Number(id))
  t.same(
    ids,
    ids.map((_, n) => first + n),
    'each revision once and in order',
  )
  t.ok(ids.length >= 1 && ids.length < count / 2, `${ids.length} of ${count} were told`)
  t.match(text, /event: error\ndata: \{"code":"JGD_COMPACTED"/)

  // It lists, and goes on from there.
  const list = await node.ask('GET', '/v1/kv?prefix=big/')
  t.equal(list.value.items.length, 3)
  const next = `GET /v1/kv/watch?prefix=big/ HTTP/1.1\r\nhost: x\r\nlast-event-id: ${list.value.revision}\r\n\r\n`
  const again = connect({ path: at })
  t.teardown(() => again.destroy())
  let more = ''
  again.on('data', (chunk) => {
    more += String(chunk)
  })
  again.write(next)
  await until(() => more.includes('event: progress'))
  await node.ask('PUT', '/v1/kv?key=big/1', { value: 'small' })
  await until(() => more.includes('event: change'))
  t.match(more, `id: ${list.value.revision + 1}\n`)
})
