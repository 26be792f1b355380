/**
 * The oracle for `docker run` lines: Docker 20.10's own command, spoken to by a socket of this
 * test's, says what it would have the engine create; `core/units` must say the same.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { assert } from '../../src/base/assert.ts'
import type { ContainerSpec } from '../../src/base/container-spec.ts'
import { parseDockerRun } from '../../src/core/units/docker-run.ts'
import { carriedLines, refusedLines } from './docker-run-lines.ts'

const docker = '/usr/bin/docker'
const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'docker-run-'))
const files: Record<string, string> = {
  'env.txt': '# comment\n  A=from file \nB\nHOME_OF_UNIT\nQ="kept"\n',
  'labels.txt': 'one=1\ntwo\n',
  'seccomp.json': '{ "defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [] }\n',
}
const variables: Record<string, string> = { HOME_OF_UNIT: '/srv/unit', C: 'see' }

/** Serves as much of the engine's API as `docker run -d` asks for; keeps the create bodies. */
function serveEngine(bodies: unknown[]): Server {
  return createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      response.setHeader('Api-Version', '1.41')
      response.setHeader('OSType', 'linux')
      response.setHeader('Content-Type', 'application/json')
      if (path.includes('/containers/create')) {
        bodies.push(JSON.parse(Buffer.concat(chunks).toString()))
        response.statusCode = 201
        response.end('{"Id":"c0ffee","Warnings":[]}')
      } else if (path.endsWith('/start')) {
        response.statusCode = 204
        response.end()
      } else response.end('{}')
    })
  })
}

type Json = Readonly<Record<string, unknown>>

/** Fields whose empty value says something else than their absence. */
const meaningWhenEmpty = new Set(['Init', 'StopTimeout', 'MaskedPaths', 'ReadonlyPaths', 'HostIp'])
const meaningInside = new Set(['HostPort', 'Count', 'Options', 'Driver', 'Hard', 'Soft', 'Rate'])

/** Leaves out what the command spells out although it is the engine's default. */
function withoutDefaults(value: Json, isUserMap = false): Json {
  const kept: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) {
    if (isUserMap || (field !== null && meaningWhenEmpty.has(key)) || meaningInside.has(key)) {
      kept[key] = field
      continue
    }
    const isDefault =
      field === null ||
      field === '' ||
      field === 0 ||
      field === false ||
      (key === 'MemorySwappiness' && field === -1) ||
      (key === 'NetworkMode' && field === 'default') ||
      key === 'ConsoleSize' ||
      key === 'RestartPolicy'
    if (isDefault) continue
    const cleaned = isPlain(field) ? withoutDefaults(field, userMaps.has(key)) : field
    const isEmpty = Array.isArray(cleaned)
      ? cleaned.length === 0
      : isPlain(cleaned) && Object.keys(cleaned).length === 0
    if (!isEmpty) kept[key] = Array.isArray(cleaned) ? sorted(key, cleaned) : cleaned
  }
  return kept
}

/** Records whose keys are the user's, and whose empty values are kept. */
const userMaps = new Set([
  ...['Labels', 'Volumes', 'ExposedPorts', 'PortBindings', 'Tmpfs', 'Sysctls', 'StorageOpt'],
  ...['Config', 'DriverOpts', 'Options'],
])

const isPlain = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Docker keeps these in maps, whose order is random; in other lists order means something. Of a
 * variable given twice the engine takes the last.
 */
function sorted(key: string, list: readonly unknown[]): readonly unknown[] {
  const cleaned = list.map((item) => (isPlain(item) ? withoutDefaults(item) : item))
  if (key === 'Env') {
    const byName = new Map(cleaned.map((item) => [String(item).split('=')[0], String(item)]))
    return [...byName.values()].toSorted((a, b) => (a < b ? -1 : 1))
  }
  if (key !== 'Binds' && key !== 'Ulimits') return cleaned
  return cleaned.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

type Ours =
  | { readonly ok: true; readonly container: ContainerSpec }
  | { readonly ok: false; readonly reasons: readonly string[] }

function ours(words: readonly string[]): Ours {
  const result = parseDockerRun(words, {
    variable: (name) => variables[name],
    read: (path) => {
      const text = files[path.slice(directory.length + 1)]
      return text === undefined ? { kind: 'absent' } : { kind: 'text', text }
    },
  })
  if (!result.ok) return result
  assert(result.run.container !== undefined, 'nothing here waits for a machine')
  return { ok: true, container: result.run.container }
}

t.test('the real command and this parser agree', async (t) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const bodies: Json[] = []
  const socket = join(directory, 'engine.sock')
  const server = serveEngine(bodies)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  const theirs = async (words: readonly string[]): Promise<Json | undefined> => {
    bodies.length = 0
    const env = { HOME: directory, PATH: '/usr/bin:/bin', ...variables }
    await run(docker, ['-H', `unix://${socket}`, 'run', '-d', ...words], { env }).catch(() => {})
    return bodies[0]
  }

  const version = await run(docker, ['--version'])
  if (!version.stdout.includes('20.10.')) {
    t.comment(`${docker} is ${version.stdout.trim()}; the oracle is 20.10`)
  }
  for (const line of carriedLines) {
    const words = line.map((word) => word.replace('$DIR', directory))
    const body = await theirs(words)
    if (body === undefined) {
      t.fail(`Docker refuses ${line.join(' ')}`)
      continue
    }
    const mine = ours(words)
    if (!mine.ok) t.fail(`${line.join(' ')}: ${mine.reasons.join(', ')}`)
    else t.same(withoutDefaults({ ...mine.container }), withoutDefaults(body), line.join(' '))
  }
  for (const line of refusedLines) {
    t.equal(await theirs(line), undefined, `Docker refuses ${line.join(' ')}`)
    const mine = ours(line)
    t.notOk(mine.ok, `and so does the parser: ${mine.ok ? '' : mine.reasons.join(', ')}`)
  }
})
