/** The engine's client against an engine that answers when it is told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { dockerContainers } from '../../src/platform/docker.ts'

const ids = ['a'.repeat(64), 'b'.repeat(64)] as const
const dayMs = 86_400_000

class ScriptedEngine {
  /** Inspections of these wait for `release`. */
  readonly held = new Set<string>()
  readonly signals: string[] = []
  #waiting: (() => void)[] = []
  #asked: () => void = () => undefined
  #events: ServerResponse | undefined
  readonly server: Server = createServer((request, response) => this.#answer(request, response))

  /** Resolves when an inspection is being held. */
  readonly asked = (): Promise<void> => new Promise((resolve) => (this.#asked = resolve))

  release(): void {
    for (const answer of this.#waiting.splice(0)) answer()
  }

  tell(id: string, action: string): void {
    this.#events?.write(`${JSON.stringify({ Type: 'container', id, Action: action })}\n`)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://engine')
    const json = (body: unknown): void => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    }
    const [, id = '', what = ''] = /\/containers\/([^/]+)\/(\w+)$/.exec(pathname) ?? []
    if (pathname.endsWith('/events')) {
      this.#events = response
      response.flushHeaders()
    } else if (pathname.endsWith('/containers/json')) {
      json(ids.map((each) => ({ Id: each, State: 'running' })))
    } else if (what === 'json') {
      if (!this.held.has(id)) return json(running(id))
      this.#waiting.push(() => json(running(id)))
      this.#asked()
    } else if (pathname.endsWith('/images/create')) {
      // A registry out of reach says nothing, one at work says something at once, and is slow.
      if (searchParams.get('fromImage') !== 'slow') return
      response.write('{"id":"latest","status":"Pulling from slow"}\n')
      setTimeout(() => response.end('{"status":"Downloaded"}\n'), 300)
    } else if (what === 'kill') {
      this.signals.push(searchParams.get('signal') ?? '')
      response.writeHead(204).end()
    } else if (what === 'wait') {
      setTimeout(() => json({ StatusCode: 0 }), 100)
    } else response.writeHead(404).end('{}')
  }
}

const running = (id: string) => ({
  Id: id,
  Name: `/${id.slice(0, 4)}`,
  Image: 'sha256:0',
  State: { Status: 'running', StartedAt: '2026-01-01T00:00:00Z' },
  Config: { Image: 'app', Labels: {} },
})

async function engineOf(t: Test) {
  const script = new ScriptedEngine()
  // A socket's path has a hundred characters at most.
  const directory = mkdtempSync(path.join(tmpdir(), 'jgd-'))
  const socketPath = path.join(directory, 'docker.sock')
  await new Promise<void>((resolve) => script.server.listen(socketPath, resolve))
  t.teardown(() => {
    script.server.closeAllConnections()
    script.server.close()
    rmSync(directory, { recursive: true })
  })
  return { script, engine: dockerContainers({ socketPath }) }
}

t.test('what has an event while another is inspected is listed all the same', async (t) => {
  const { script, engine } = await engineOf(t)
  const stop = new AbortController()
  const events = engine.events('label', 'x', stop.signal)[Symbol.asyncIterator]()
  t.match(await events.next(), { value: { kind: 'subscribed' } })
  const [first, second] = ids
  t.equal((await engine.list('label', 'x')).length, 2)

  // A health check of the second makes its facts old; while it is inspected, one of the first.
  script.tell(second, 'health_status: healthy')
  await events.next()
  script.held.add(second)
  const asked = script.asked()
  const listing = engine.list('label', 'x')
  await asked
  script.tell(first, 'exec_create: true')
  await events.next()
  script.release()
  t.same(
    (await listing).map(({ id }) => id),
    [first, second],
  )
  stop.abort()
})

t.test('a grace of a month is not none', async (t) => {
  const { script, engine } = await engineOf(t)
  await engine.stop(ids[0], 'SIGTERM', 30 * dayMs)
  await engine.stop(ids[0], 'SIGTERM', 60 * dayMs)
  t.same(script.signals, ['SIGTERM', 'SIGTERM'])
})

t.test('a registry that says nothing is given up before one that is slow', async (t) => {
  const { engine } = await engineOf(t)
  const told: string[] = []
  const tell = (text: string): void => void told.push(text)
  await t.rejects(engine.pull('silent', 60_000, tell, 100), {
    code: 'JGD_IMAGE_PULL',
    message: /said nothing in 0 s/,
  })
  t.same(told, [])
  await engine.pull('slow', 60_000, tell, 100)
  t.equal(told.length, 2)
  await t.rejects(engine.pull('slow', 150, tell, 100), {
    code: 'JGD_IMAGE_PULL',
    message: /not finished in 0 s/,
  })
})
