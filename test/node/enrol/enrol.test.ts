/** Machines join, and strangers do not: real keys, real TLS on loopback, the real store. */
import t from 'tap'
import { parseToken, formatToken } from '../../../src/core/trust/token-text.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import { admit, pendingMachines, refuseMachine, revoke } from '../../../src/node/enrol/admit.ts'
import type { EnrolContext } from '../../../src/node/enrol/context.ts'
import { enrol } from '../../../src/node/enrol/enrol.ts'
import { createCluster } from '../../../src/node/enrol/init.ts'
import { renewCertificate } from '../../../src/node/enrol/issue.ts'
import { joinWithNonce, joinWithToken, type JoinOutcome } from '../../../src/node/enrol/join.ts'
import type { MachineFacts } from '../../../src/node/enrol/messages.ts'
import { SecretHolder, sealSecretsFor } from '../../../src/node/enrol/secrets.ts'
import { authorizeBearer, createToken, deleteToken } from '../../../src/node/enrol/tokens.ts'
import type { KeyPair } from '../../../src/ports/crypto.ts'
import {
  crypto,
  entropy,
  factsOf,
  idOf,
  joinDeps,
  makeCluster,
  nonceFor,
  recordMachine,
  type Cluster,
} from './fixture.ts'

const hourMs = 3_600_000

async function tokenFor(cluster: Cluster, uses = 1): Promise<string> {
  const request = { scope: 'machine', roleCeiling: 'voter', uses, lifetimeMs: hourMs } as const
  return (await createToken(cluster.context, cluster.init.files.authorityPem, request)).text
}

const doorsOf = (cluster: Cluster) => [{ host: '127.0.0.1', port: cluster.port }]

async function join(
  cluster: Cluster,
  token: string,
  facts: MachineFacts,
  key?: KeyPair,
): Promise<JoinOutcome> {
  const own = key ?? (await crypto.generateKey())
  return joinWithToken(joinDeps, token, { doors: doorsOf(cluster), key: own, facts })
}

async function boot(
  cluster: Cluster,
  nonce: string,
  facts: MachineFacts,
  key?: KeyPair,
  onPending?: (machineId: string) => void,
): Promise<JoinOutcome> {
  const own = key ?? (await crypto.generateKey())
  const input = { doors: doorsOf(cluster), key: own, facts, ...(onPending && { onPending }) }
  return joinWithNonce(joinDeps, { nonce, pin: pinOf(cluster) }, input)
}

const pinOf = ({ init }: Cluster): string => crypto.spkiHash(init.files.authorityPem)

const admissionOf = async (cluster: Cluster, facts: MachineFacts) => {
  const { items } = await cluster.access.range(
    { key: keyspace.admissions.key(idOf(facts)) },
    'local',
  )
  return items[0] === undefined ? undefined : keyspace.admissions.read(items[0])?.value
}

const codesOf = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.events()).flatMap(({ code }) => (code === '' ? [] : [code]))

t.test('a machine joins with a token, once', async (t) => {
  const cluster = await makeCluster(t)
  const token = await tokenFor(cluster)
  const [facts, key] = [factsOf(1), await crypto.generateKey()]
  const { files, wallMs } = await join(cluster, token, facts, key)
  t.equal(files.machineId, idOf(facts))
  t.equal(files.clusterId, cluster.init.clusterId)
  t.equal(files.roleCeiling, 'voter')
  t.ok(Math.abs(wallMs - cluster.context.clock.wallMs()) < 60_000)
  const said = await crypto.readCertificate(files.certificatePem, cluster.init.files.authorityPem)
  t.match(said, { machineId: idOf(facts), clusterId: files.clusterId, keyHash: key.keyHash })
  t.match(await admissionOf(cluster, facts), { state: 'member', by: 'token', keyHash: key.keyHash })

  t.match(await join(cluster, token, facts, key), { files: { machineId: idOf(facts) } }, 'again')
  await t.rejects(join(cluster, token, factsOf(2)), { code: 'JGD_TOKEN_USED_UP' })
  t.same(await codesOf(cluster), ['JGD_TOKEN_USED_UP'])
})

t.test('two machines race for the last use of a token', async (t) => {
  const cluster = await makeCluster(t)
  const token = await tokenFor(cluster)
  const { context } = cluster
  let winner: JoinOutcome | undefined
  // The other machine gets through between this one's reads and its transaction.
  const store: EnrolContext['store'] = {
    range: (request, consistency) => context.store.range(request, consistency),
    transact: async (transaction) => {
      winner ??= await join(cluster, token, factsOf(2))
      return context.store.transact(transaction)
    },
  }
  const shown = parseToken(token)
  const proof = { kind: 'token', id: shown?.id ?? '', secret: shown?.secret ?? '' } as const
  const request = await crypto.makeRequest(await crypto.generateKey(), 'joining')
  const late = enrol({ ...context, store }, { proof, request, facts: factsOf(1) }, '127.0.0.1')
  await t.rejects(late, { code: 'JGD_TOKEN_USED_UP' })
  t.equal(winner?.files.machineId, idOf(factsOf(2)))
  t.equal(await admissionOf(cluster, factsOf(1)), undefined)
})

t.test('a wrong, an expired and a deleted token', async (t) => {
  const cluster = await makeCluster(t)
  const token = await tokenFor(cluster)
  const parsed = parseToken(token)
  if (parsed === undefined) throw new Error('a token')
  const wrong = formatToken({ ...parsed, secret: '0'.repeat(64) })
  await t.rejects(join(cluster, wrong, factsOf(1)), { code: 'JGD_TOKEN_INVALID' })
  cluster.shiftWall(hourMs + 1)
  await t.rejects(join(cluster, token, factsOf(1)), { code: 'JGD_TOKEN_EXPIRED' })
  await deleteToken(cluster.context, parsed.id)
  await t.rejects(join(cluster, token, factsOf(1)), { code: 'JGD_TOKEN_INVALID' })
  await t.rejects(join(cluster, cluster.init.adminToken, factsOf(1)), { code: 'JGD_USAGE' })
  const expected = ['JGD_TOKEN_INVALID', 'JGD_TOKEN_EXPIRED', 'JGD_TOKEN_INVALID']
  t.same((await codesOf(cluster)).toSorted(), expected.toSorted())
  const text = JSON.stringify(await cluster.events())
  t.notOk(text.includes(parsed.secret), 'no event holds the secret')
})

t.test('the secret is not sent to a door that fails the pin', async (t) => {
  const [cluster, impostor] = [await makeCluster(t), await makeCluster(t)]
  const token = await tokenFor(cluster)
  const doors = [{ host: '127.0.0.1', port: impostor.port }]
  const input = { doors, key: await crypto.generateKey(), facts: factsOf(1) }
  await t.rejects(joinWithToken(joinDeps, token, input), { code: 'JGD_PIN_MISMATCH' })
  t.same(impostor.received, [])
})

t.test('a door that shows our CA without a leaf of it fails the pin', async (t) => {
  const [cluster, impostor] = [await makeCluster(t), await makeCluster(t)]
  const { createServer } = await import('node:tls')
  const { files } = impostor.init
  const server = createServer({
    key: files.privateKeyPem,
    cert: files.certificatePem + cluster.init.files.authorityPem,
  })
  t.teardown(() => server.close())
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
  const doors = [{ host: '127.0.0.1', port }]
  const input = { doors, key: await crypto.generateKey(), facts: factsOf(1) }
  const token = await tokenFor(cluster)
  await t.rejects(joinWithToken(joinDeps, token, input), { code: 'JGD_PIN_MISMATCH' })
})

t.test('a blank machine waits for its operator, and later comes back by itself', async (t) => {
  const cluster = await makeCluster(t)
  const facts = factsOf(3)
  const [firstKey, secondKey] = [await crypto.generateKey(), await crypto.generateKey()]
  let admitting: Promise<unknown> | undefined
  const approveOnce = (id: string): void => {
    t.equal(id, idOf(facts))
    admitting ??= (async () => {
      t.match(await pendingMachines(cluster.access), [{ machineId: idOf(facts), state: 'pending' }])
      await admit(cluster.context, idOf(facts), { keyHash: firstKey.keyHash })
    })()
  }
  const nonce = await nonceFor(cluster, facts)
  const first = await boot(cluster, nonce, facts, firstKey, approveOnce)
  t.equal(first.files.roleCeiling, 'client')
  t.match(await admissionOf(cluster, facts), { state: 'member', by: 'nonce', sticky: true })
  t.same(await pendingMachines(cluster.access), [])

  await recordMachine(cluster, facts, firstKey.keyHash, 'ready')
  const again = nonceFor(cluster, facts)
  await t.rejects(boot(cluster, await again, facts, secondKey), { code: 'JGD_MACHINE_LIVE' })
  await recordMachine(cluster, facts, firstKey.keyHash, 'lost')
  await boot(cluster, await again, facts, secondKey)
  t.match(await admissionOf(cluster, facts), { state: 'member', keyHash: secondKey.keyHash })
})

t.test('a captured nonce is worth nothing to another key', async (t) => {
  const cluster = await makeCluster(t, 'auto')
  const facts = factsOf(4)
  const nonce = await nonceFor(cluster, facts)
  const key = await crypto.generateKey()
  await boot(cluster, nonce, facts, key)
  await t.rejects(boot(cluster, nonce, facts), { code: 'JGD_NONCE_REUSED' })
  await boot(cluster, nonce, facts, key)
  t.match(await admissionOf(cluster, facts), { keyHash: key.keyHash })
  const alarm = (await cluster.events()).find(({ code }) => code === 'JGD_NONCE_REUSED')
  t.match(alarm, { severity: 'alarm', machine: idOf(facts) })
})

t.test('a nonce that is late, forged, or of another machine', async (t) => {
  const cluster = await makeCluster(t, 'auto')
  const facts = factsOf(5)
  const nonce = await nonceFor(cluster, facts)
  const invalid = { code: 'JGD_NONCE_INVALID' }
  await t.rejects(boot(cluster, nonce, factsOf(6)), invalid)
  await t.rejects(boot(cluster, nonce, { ...facts, uuid: factsOf(6).uuid }), invalid)
  const elsewhere = await nonceFor(cluster, { ...facts, address: '10.9.9.9' })
  await t.rejects(boot(cluster, elsewhere, facts), invalid)
  const flipped = nonce.slice(0, -1) + (nonce.endsWith('0') ? '1' : '0')
  await t.rejects(boot(cluster, flipped, facts), invalid)
  cluster.shiftWall(600_001)
  await t.rejects(boot(cluster, nonce, facts), invalid)
})

t.test('two machines with one UUID get an id each', async (t) => {
  const cluster = await makeCluster(t)
  const token = await tokenFor(cluster, 2)
  const [facts, twin] = [factsOf(7), { ...factsOf(7), macs: ['52:54:00:99:99:99'] }]
  const first = await join(cluster, token, facts)
  const second = await join(cluster, token, twin)
  t.equal(first.files.machineId, idOf(facts))
  t.equal(second.files.machineId, '6a616e676164616d6163525400999999')
})

t.test('an operator’s no, and a key taken back', async (t) => {
  const cluster = await makeCluster(t)
  const facts = factsOf(8)
  const nonce = await nonceFor(cluster, facts)
  const no = (): void => {
    void refuseMachine(cluster.context, idOf(facts))
  }
  await t.rejects(boot(cluster, nonce, facts, undefined, no), { code: 'JGD_FORBIDDEN' })
  await t.rejects(admit(cluster.context, idOf(factsOf(9))), { code: 'JGD_NOT_FOUND' })
  await t.rejects(admit(cluster.context, idOf(facts), { keyHash: '0'.repeat(64) }), {
    code: 'JGD_CONFLICT',
  })
})

t.test('a listed key renews its certificate, and no other does', async (t) => {
  const cluster = await makeCluster(t)
  const [facts, key] = [factsOf(10), await crypto.generateKey()]
  await join(cluster, await tokenFor(cluster), facts, key)
  const { clusterId, files } = cluster.init
  const peer = {
    keyHash: key.keyHash,
    machineId: idOf(facts),
    clusterId,
    remoteAddress: '127.0.0.1',
  }
  cluster.shiftWall(200 * 24 * hourMs)
  const request = await crypto.makeRequest(key, 'renewing')
  const ask = { request, addresses: ['127.0.0.1'] }
  const { certificatePem } = await renewCertificate(cluster.context, peer, ask)
  const said = await crypto.readCertificate(certificatePem, files.authorityPem)
  t.ok((said?.notAfterMs ?? 0) > cluster.context.clock.wallMs(), 'long after the last one expired')
  const other = await crypto.makeRequest(await crypto.generateKey(), 'renewing')
  const unknown = { code: 'JGD_KEY_UNKNOWN' }
  const swap = renewCertificate(cluster.context, peer, { ...ask, request: other })
  await t.rejects(swap, unknown)
  await revoke(cluster.context, idOf(facts))
  await t.rejects(renewCertificate(cluster.context, peer, ask), unknown)
})

t.test('a machine that becomes a voter gets the secrets, and can open them', async (t) => {
  const cluster = await makeCluster(t)
  const [facts, key] = [factsOf(11), await crypto.generateKey()]
  await join(cluster, await tokenFor(cluster), facts, key)
  const holder = new SecretHolder({ machineId: idOf(facts), key, store: cluster.access, crypto })
  t.equal(await holder.authority(), undefined, 'not before')
  await t.rejects(holder.requireAuthority(), { code: 'JGD_NOT_LEADER' })
  const then = await sealSecretsFor(cluster.context, idOf(facts))
  await cluster.access.transact({ compare: [], then, otherwise: [] })
  t.same(await holder.authority(), await cluster.context.secrets.authority())
  t.same(await holder.bootKey(), await cluster.context.secrets.bootKey())
  const { items } = await cluster.access.range({ key: '/', rangeEnd: '0' }, 'local')
  const everything = items.map(({ value }) => Buffer.from(value).toString('latin1')).join('\n')
  t.notMatch(everything, /PRIVATE KEY/, 'no key is in the store in clear')
})

t.test('the first admin token opens the API; a changed one does not', async (t) => {
  const cluster = await makeCluster(t)
  const { adminToken } = cluster.init
  t.match(await authorizeBearer(cluster.context, adminToken, 'admin'), { scope: 'admin' })
  const changed = adminToken.slice(0, -1) + (adminToken.endsWith('0') ? '1' : '0')
  await t.rejects(authorizeBearer(cluster.context, changed, 'read'), { code: 'JGD_TOKEN_INVALID' })
  await t.rejects(authorizeBearer(cluster.context, 'hello', 'read'), {
    code: 'JGD_UNAUTHENTICATED',
  })
  const { items } = await cluster.access.range({ key: '/', rangeEnd: '0' }, 'local')
  const secret = parseToken(adminToken)?.secret ?? ''
  const holds = items.some(({ value }) => Buffer.from(value).includes(secret))
  t.notOk(holds, 'the store has only its hash')
})

t.test('no two clusters share anything', async (t) => {
  const cluster = await makeCluster(t)
  const { clock } = cluster.context
  const settings = { voters: 1, admission: 'sticky', status: 'full', featureLevel: 1 } as const
  const input = { machineId: cluster.context.machineId, facts: factsOf(1), settings }
  const other = await createCluster({ crypto, clock, entropy }, input)
  t.not(other.clusterId, cluster.init.clusterId)
  t.not(other.files.privateKeyPem, cluster.init.files.privateKeyPem)
  const { certificatePem } = other.files
  const { authorityPem } = cluster.init.files
  t.equal(await crypto.readCertificate(certificatePem, authorityPem), undefined)
})
