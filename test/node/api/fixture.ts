/** One node's API over a real store with a real cluster's first records, asked without a server. */
import { fromUtf8, toHex, utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { machineId, type MachineId } from '../../../src/base/ids.ts'
import { featureLevel } from '../../../src/core/records/features.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import type {
  MachineRecord,
  PlacementRecord,
  UnitStateRecord,
} from '../../../src/core/records/schemas.ts'
import { Api } from '../../../src/node/api/api.ts'
import type { ApiContext } from '../../../src/node/api/context.ts'
import type { ApiRequest, ApiResponse } from '../../../src/node/api/messages.ts'
import { createCluster, type InitOutcome } from '../../../src/node/enrol/init.ts'
import { nodeCrypto } from '../../../src/platform/crypto.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { LocalStore } from '../../support/local-store.ts'

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

export const crypto = nodeCrypto()
export const entropy = kernelEntropy()
export const clock = systemClock()

export const ids = {
  n1: machineId('1'.repeat(32)),
  n2: machineId('2'.repeat(32)),
  n3: machineId('3'.repeat(32)),
}

export interface Node {
  readonly store: LocalStore
  readonly init: InitOutcome
  readonly context: ApiContext
  readonly api: Api
  /** From the socket, where everything is allowed, unless `changes` say otherwise. */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    changes?: Partial<ApiRequest>,
  ) => Promise<Answer>
}

export interface Answer {
  readonly status: number
  /** JSON, of whatever shape the test expects. */
  readonly value: any // oxlint-disable-line typescript/no-explicit-any
  readonly text: string
  readonly response: ApiResponse
}

export async function makeNode(changes: Partial<ApiContext> = {}): Promise<Node> {
  const store = new LocalStore()
  const init = await createCluster(
    { crypto, clock, entropy },
    {
      machineId: ids.n1,
      facts: { name: 'n1', uuid: '', macs: ['52:54:00:00:00:01'], address: '10.77.0.1' },
      settings: { voters: 3, admission: 'sticky', status: 'full', featureLevel },
    },
  )
  store.put(...init.operations)
  const context: ApiContext = {
    clusterId: init.clusterId,
    machineId: ids.n1,
    name: 'n1',
    version: '0.1.0',
    store,
    crypto,
    clock,
    entropy,
    log: silent,
    authorityPem: init.files.authorityPem,
    metricsText: async () => ({ text: 'jangada_up 1\n', contentType: 'text/plain' }),
    enrol: async () => {
      throw new Error('nobody enrols here')
    },
    renew: async (peer) => ({ certificatePem: `for ${peer.machineId}` }),
    transferLeader: async () => undefined,
    quorum: async () => {
      throw new JangadaError('JGD_NO_QUORUM', 'nobody leads here')
    },
    unitLogs: noLogs,
    unitUsage: () => Promise.resolve([]),
    bootTimeline: () => [],
    ...changes,
  }
  const api = new Api(context)
  return { store, init, context, api, ask: asker(api) }
}

async function* noLogs(): AsyncGenerator<Uint8Array> {
  yield utf8('')
}

export const request = (changes: Partial<ApiRequest>): ApiRequest => ({
  door: 'socket',
  method: 'GET',
  path: '/',
  query: new Map(),
  headers: {},
  readBody: () => Promise.resolve(undefined),
  remoteAddress: '127.0.0.1',
  localAddress: '127.0.0.1',
  ...changes,
})

const asker =
  (api: Api): Node['ask'] =>
  async (method, target, body, changes = {}) => {
    const url = new URL(target, 'http://node')
    const asked = request({
      method,
      path: url.pathname,
      query: new Map(url.searchParams),
      readBody: () => Promise.resolve(body),
      ...changes,
    })
    const response = await api.handle(asked, new AbortController().signal)
    const text = await textOf(response)
    const value = response.body.kind === 'json' ? response.body.value : undefined
    return { status: response.status, value, text, response }
  }

async function textOf({ body }: ApiResponse): Promise<string> {
  if (body.kind === 'json') return JSON.stringify(body.value)
  if (body.kind === 'text') return body.text
  if (body.kind === 'bytes') return toHex(body.bytes)
  if (body.kind === 'none') return ''
  let text = ''
  for await (const chunk of body.chunks) {
    text += typeof chunk === 'string' ? chunk : fromUtf8(chunk)
  }
  return text
}

export const machine = (
  id: MachineId,
  name: string,
  changes: Partial<MachineRecord> = {},
): ReturnType<typeof keyspace.machines.put> =>
  keyspace.machines.put(
    {
      v: 1,
      id,
      name,
      address: `10.77.0.${name.slice(1)}`,
      keyHash: 'a'.repeat(64),
      metadata: {},
      status: 'ready',
      statusSinceMs: 1,
      bootId: 'boot',
      cpus: 2,
      memoryBytes: 1,
      roleCeiling: 'voter',
      durable: true,
      version: '0.1.0',
      liveRestore: true,
      ...changes,
    },
    id,
  )

export const placement = (
  unit: string,
  on: MachineId,
  changes: Partial<PlacementRecord> = {},
): ReturnType<typeof keyspace.placements.put> =>
  keyspace.placements.put(
    { v: 1, unit, machine: on, desired: 'launched', hash: 'h', placedMs: 1, ...changes },
    on,
    unit,
  )

/** Of the placement that stands now. */
export function state(
  node: Pick<Node, 'store'>,
  unit: string,
  on: MachineId,
  changes: Partial<UnitStateRecord> = {},
): ReturnType<typeof keyspace.states.put> {
  const answer = node.store.store.range({ key: keyspace.placements.key(on, unit) })
  const generation = answer.kind === 'range' ? (answer.result.items[0]?.createRevision ?? 0) : 0
  return keyspace.states.put(
    {
      v: 1,
      unit,
      machine: on,
      generation,
      hash: 'h',
      load: 'loaded',
      active: 'active',
      sub: 'running',
      containerId: 'c',
      image: 'busybox',
      imageDigest: '',
      restarts: 0,
      sinceMs: 1,
      message: '',
      ...changes,
    },
    on,
    unit,
  )
}

export const unitFile = (words = 'busybox true', rest = ''): string =>
  `[Unit]\nDescription=A unit\n[Service]\nExecStart=/usr/bin/docker run ${words}\n${rest}`
