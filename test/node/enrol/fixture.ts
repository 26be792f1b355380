/** A cluster of one with the real store, real keys and a real TLS door, for machines to join. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { JangadaError } from '../../../src/base/errors.ts'
import { machineId, type MachineId } from '../../../src/base/ids.ts'
import { makeNonce } from '../../../src/core/netboot/nonce.ts'
import { parseMac, parseUuid } from '../../../src/core/netboot/hardware.ts'
import { parseIpv4 } from '../../../src/core/netboot/ipv4.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import type { EventRecord, MachineRecord } from '../../../src/core/records/schemas.ts'
import type { EnrolContext } from '../../../src/node/enrol/context.ts'
import { enrol } from '../../../src/node/enrol/enrol.ts'
import { createCluster, type InitOutcome } from '../../../src/node/enrol/init.ts'
import type { JoinDeps } from '../../../src/node/enrol/join.ts'
import { enrolPath, isEnrolRequest, type MachineFacts } from '../../../src/node/enrol/messages.ts'
import { RefusalLog } from '../../../src/node/enrol/refusals.ts'
import { SecretHolder } from '../../../src/node/enrol/secrets.ts'
import { nodeCrypto } from '../../../src/platform/crypto.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { nodePinnedHttps } from '../../../src/platform/pinned-https.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { localStore, type LocalAccess } from '../bootd/local-store.ts'

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

export const crypto = nodeCrypto()
export const entropy = kernelEntropy()
const founderFacts: MachineFacts = {
  name: 'founder',
  uuid: '',
  macs: ['52:54:00:00:00:01'],
  address: '127.0.0.1',
}

export interface Cluster {
  readonly init: InitOutcome
  readonly context: EnrolContext
  readonly access: LocalAccess
  /** Shifts the cluster's wall clock. */
  readonly shiftWall: (byMs: number) => void
  readonly events: () => Promise<EventRecord[]>
  /** Bodies that reached the door: what a thief with the door's key would have. */
  readonly received: string[]
  readonly port: number
}

export async function makeCluster(
  t: Test,
  admission: 'sticky' | 'approve' | 'auto' = 'sticky',
): Promise<Cluster> {
  const { clock, shiftWall } = shiftingClock()
  const { access } = localStore()
  const founder = machineId('f'.repeat(32))
  const settings = { voters: 3, admission, status: 'full', featureLevel: 1 } as const
  const init = await createCluster(
    { crypto, clock, entropy },
    { machineId: founder, facts: founderFacts, settings },
  )
  await access.transact({ compare: [], then: init.operations, otherwise: [] })
  const key = await crypto.importKey(init.files.privateKeyPem)
  const context: EnrolContext = {
    clusterId: init.clusterId,
    machineId: founder,
    store: access,
    crypto,
    clock,
    entropy,
    secrets: new SecretHolder({ machineId: founder, key, store: access, crypto }),
    refusals: new RefusalLog({ store: access, clock, entropy, log: silent }),
  }
  const received: string[] = []
  const port = await openDoor(t, context, init, received)
  const events = async (): Promise<EventRecord[]> => {
    const { items } = await access.range(keyspace.events.range, 'local')
    return items.flatMap((item) => keyspace.events.read(item)?.value ?? [])
  }
  return { init, context, access, shiftWall, events, received, port }
}

function shiftingClock(): { clock: Clock; shiftWall: (byMs: number) => void } {
  const real = systemClock()
  let shiftMs = 0
  const clock: Clock = {
    monotonicMs: () => real.monotonicMs(),
    wallMs: () => real.wallMs() + shiftMs,
    after: (delayMs, fire) => real.after(delayMs, fire),
    atTurnsEnd: (fire) => real.atTurnsEnd(fire),
  }
  return {
    clock,
    shiftWall: (byMs) => {
      shiftMs += byMs
    },
  }
}

/** `POST /v1/enrol` over TLS 1.3, with leaf and CA as the chain. */
function openDoor(
  t: Test,
  context: EnrolContext,
  { files }: InitOutcome,
  received: string[],
): Promise<number> {
  const answer = async (path: string | undefined, text: string, from: string) => {
    const body: unknown = JSON.parse(text)
    if (path !== enrolPath || !isEnrolRequest(body)) {
      throw new JangadaError('JGD_BAD_REQUEST', 'not an enrolment')
    }
    return enrol(context, body, from)
  }
  const server = createServer(
    {
      key: files.privateKeyPem,
      cert: files.certificatePem + files.authorityPem,
      minVersion: 'TLSv1.3',
    },
    (request, response) => {
      let text = ''
      request.setEncoding('utf8')
      request.on('data', (part: string) => {
        text += part
      })
      request.on('end', () => {
        received.push(text)
        answer(request.url, text, request.socket.remoteAddress ?? '').then(
          (value) => {
            response.writeHead(value.state === 'pending' ? 202 : 200)
            response.end(JSON.stringify(value))
          },
          (error: unknown) => {
            const known = error instanceof JangadaError ? error : undefined
            response.writeHead(known?.status ?? 500)
            const unknown = { code: 'JGD_INTERNAL', message: String(error) }
            response.end(JSON.stringify({ error: known?.toBody() ?? unknown }))
          },
        )
      })
    },
  )
  t.teardown(() => server.close())
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

export const joinDeps: JoinDeps = {
  https: nodePinnedHttps(),
  crypto,
  clock: systemClock(),
  entropy,
}

/** A machine like any other, told apart by `n`. */
export function factsOf(n: number): MachineFacts {
  const hex = n.toString(16).padStart(2, '0')
  return {
    name: `machine-${n}`,
    uuid: `4c4c4544-0042-3510-8051-b7c04f4d37${hex}`,
    macs: [`52:54:00:12:34:${hex}`],
    address: '127.0.0.1',
  }
}

export const idOf = (facts: MachineFacts): MachineId => machineId(facts.uuid.replaceAll('-', ''))

/** What a boot node of the cluster puts on the machine's kernel command line. */
export async function nonceFor(cluster: Cluster, facts: MachineFacts): Promise<string> {
  const key = await cluster.context.secrets.bootKey()
  const mac = parseMac(facts.macs[0] ?? '')
  const address = parseIpv4(facts.address)
  if (key === undefined || mac === undefined || address === undefined) throw new Error('no nonce')
  const claims = { mac, uuid: parseUuid(facts.uuid), address }
  return makeNonce(crypto, key, claims, cluster.context.clock.wallMs() / 1000)
}

/** What the machine's agent and liveness would write of it. */
export async function recordMachine(
  cluster: Cluster,
  facts: MachineFacts,
  keyHash: string,
  status: MachineRecord['status'],
): Promise<void> {
  const id = idOf(facts)
  const record: MachineRecord = {
    v: 1,
    id,
    name: facts.name,
    address: facts.address,
    keyHash,
    metadata: {},
    status,
    statusSinceMs: 1,
    bootId: '',
    cpus: 1,
    memoryBytes: 1,
    roleCeiling: 'client',
    durable: false,
    version: '0',
    liveRestore: true,
  }
  const then = [keyspace.machines.put(record, id)]
  await cluster.access.transact({ compare: [], then, otherwise: [] })
}
