/** Commands as typed, against a real node's API over its real unix socket. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { revision } from '../../../src/base/ids.ts'
import { placements, states, units } from '../../../src/core/records/keyspace.ts'
import type { UnitRecord } from '../../../src/core/records/schemas.ts'
import { parseUnitName } from '../../../src/core/units/names.ts'
import * as config from '../../../src/daemon/config.ts'
import type { ApiContext } from '../../../src/node/api/context.ts'
import { openHttpClient } from '../../../src/platform/http-client.ts'
import { openDoor } from '../../../src/platform/http-server.ts'
import type { CliEnvironment } from '../../../src/tools/cli/environment.ts'
import { runCli } from '../../../src/tools/cli/main.ts'
import {
  ids,
  machine,
  makeNode,
  type Node,
  placement,
  silent,
  state,
} from '../../node/api/fixture.ts'

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Desk {
  readonly node: Node
  /** Files that the commands find, by path. */
  readonly files: Map<string, string>
  readonly say: (
    line: readonly string[] | string,
    changes?: Partial<CliEnvironment>,
  ) => Promise<Said>
}

/** A cluster of n1 and n2, and someone at its keyboard. */
export async function makeDesk(t: Test, changes: Partial<ApiContext> = {}): Promise<Desk> {
  const node = await makeNode(changes)
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2', { metadata: { disk: 'ssd' } }))
  const directory = mkdtempSync(path.join(tmpdir(), 'jangada-cli-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const socket = path.join(directory, 's.sock')
  const door = await openDoor(node.api, { kind: 'socket', path: socket }, silent)
  t.teardown(() => door.close())
  const files = new Map<string, string>()
  const say: Desk['say'] = async (line, more = {}) => {
    let out = ''
    let err = ''
    const code = await runCli(typeof line === 'string' ? line.split(' ') : line, {
      ...outside(socket, files),
      stdout: (text) => {
        out += text
      },
      stdoutBytes: async (bytes) => {
        out += fromUtf8(bytes)
      },
      stderr: (text) => {
        err += text
      },
      ...more,
    })
    return { code, out, err }
  }
  return { node, files, say }
}

const notHere = (): never => {
  throw new Error('this desk has no such thing')
}

const outside = (
  socketPath: string,
  files: ReadonlyMap<string, string>,
): Omit<CliEnvironment, 'stdout' | 'stderr' | 'stdoutBytes'> => ({
  version: '0.1.0',
  isTty: false,
  defaults: {
    stateDirectory: config.defaultStateDirectory,
    socketPath,
    dockerSocket: config.defaultDockerSocket,
    ports: config.defaultPorts,
    endpoint: undefined,
    token: undefined,
  },
  openNode: openHttpClient,
  readFile: async (name) => files.get(name),
  openFile: notHere,
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
  signal: new AbortController().signal,
  up: notHere,
  init: notHere,
  join: notHere,
  importImage: notHere,
  imageBuild: notHere,
  offline: notHere,
  rack: notHere,
})

/**
 * The rest of a cluster, as far as commands see it: what is wanted is placed on n1 and runs
 * there at once, unless `verdict` says that it ends, fails or has no place.
 */
export function runUnits(
  t: Test,
  node: Node,
  verdict: (name: string) => 'runs' | 'ends' | 'fails' | 'nowhere' = () => 'runs',
): void {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const place = ({ name, desired, hash }: UnitRecord): void => {
    const parsed = parseUnitName(name)
    if (!parsed.ok || parsed.name.kind === 'template' || verdict(name) === 'nowhere') return
    if (desired === 'inactive') {
      take(name)
      return
    }
    node.store.put(placement(name, ids.n1, { desired, hash }))
    const fails = verdict(name) === 'fails'
    const look = fails
      ? ({ active: 'failed', sub: 'failed', message: 'exit code 1' } as const)
      : ({ active: 'active', sub: 'running' } as const)
    const runs = desired === 'launched' && verdict(name) !== 'ends'
    const ended = { active: 'inactive', sub: 'dead' } as const
    // Who is to be loaded has no container; of one that has ended it is kept.
    const idle = desired === 'loaded' ? { ...ended, containerId: '' } : ended
    node.store.put(state(node, name, ids.n1, { ...(runs ? look : idle), hash }))
  }
  const take = (name: string): void =>
    node.store.put(
      { kind: 'delete', key: placements.key(ids.n1, name) },
      { kind: 'delete', key: states.key(ids.n1, name) },
    )
  const follow = async (): Promise<void> => {
    const from = { ...units.range, fromRevision: revision(node.store.store.revision + 1) }
    for await (const batch of node.store.watch(from, stop.signal)) {
      for (const event of batch.events) {
        if (event.kind === 'delete') take(event.key.slice(units.prefix.length))
        else {
          const record = units.read(event.item)
          if (record !== undefined) place(record.value)
        }
      }
    }
  }
  void follow()
}
