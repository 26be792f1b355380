import t from 'tap'
import { clusterId, machineId } from '../../../src/base/ids.ts'
import type {
  AdmissionRecord,
  MachineRecord,
  NonceRecord,
  TokenRecord,
} from '../../../src/core/records/schemas.ts'
import {
  approve,
  decideAdmission,
  isListedKey,
  isWaiting,
  memberRecord,
  waitingRecord,
  type AdmissionQuestion,
} from '../../../src/core/trust/admission.ts'
import {
  alternativeNames,
  certificateLifetime,
  isOutOfDate,
  isRenewalDue,
  judgeCertificate,
} from '../../../src/core/trust/certificate.ts'
import { lowestMac, machineIdCandidates, usableUuid } from '../../../src/core/trust/machine-id.ts'
import { decideRedemption } from '../../../src/core/trust/redemption.ts'
import { checkApiToken, checkJoinToken } from '../../../src/core/trust/token-check.ts'
import {
  formatBearer,
  formatToken,
  parseBearer,
  parseToken,
} from '../../../src/core/trust/token-text.ts'

const key = (letter: string): string => letter.repeat(64)
const id = machineId('a'.repeat(32))
const cluster = clusterId('c'.repeat(32))
const macs = ['52:54:00:00:00:01']
const nowMs = 1_000_000
const applicant = {
  machineId: id,
  keyHash: key('1'),
  publicKey: 'AAAA',
  name: 'one',
  macs,
  uuid: '',
  address: '10.0.0.1',
}

const member = (over: Partial<AdmissionRecord> = {}): AdmissionRecord => ({
  ...memberRecord(
    undefined,
    applicant,
    { by: 'nonce', tokenId: '' },
    { roleCeiling: 'client', sticky: true },
    1,
  ),
  ...over,
})
const machine = (status: MachineRecord['status'], keyHash: string): MachineRecord => ({
  v: 1,
  id,
  name: 'one',
  address: '10.0.0.1',
  keyHash,
  metadata: {},
  status,
  statusSinceMs: 1,
  bootId: '',
  cpus: 1,
  memoryBytes: 1,
  roleCeiling: 'client',
  durable: false,
  version: '',
  liveRestore: true,
})
const byNonce = (over: Partial<AdmissionQuestion> = {}): AdmissionQuestion => ({
  proof: { kind: 'nonce', policy: 'sticky' },
  keyHash: key('2'),
  macs,
  admission: undefined,
  machine: undefined,
  ...over,
})
const byToken = (over: Partial<AdmissionQuestion> = {}): AdmissionQuestion =>
  byNonce({ proof: { kind: 'token', tokenId: 't', roleCeiling: 'voter' }, ...over })

t.test('a machine is named by its UUID, unless that is junk', async (t) => {
  const uuid = '4C4C4544-0042-3510-8051-B7C04F4D3732'
  const mac = '52:54:00:12:34:56'
  const byMac = '6a616e676164616d6163525400123456'
  t.same(machineIdCandidates({ smbiosUuid: uuid, macs: [mac] }), [
    '4c4c4544004235108051b7c04f4d3732',
    byMac,
  ])
  for (const junk of [
    undefined,
    '',
    'Not Settable',
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '03000200-0400-0500-0006-000700080009',
    '00020003-0004-0005-0006-000700080009',
    'fefefefe-fefe-fefe-fefe-fefefefefefe',
  ]) {
    t.equal(usableUuid(junk), undefined, String(junk))
    t.same(machineIdCandidates({ smbiosUuid: junk, macs: [mac] }), [byMac])
  }
  t.same(machineIdCandidates({ smbiosUuid: undefined, macs: [] }), [])
  const cards = ['52:54:00:00:00:09', '00:00:00:00:00:00', '01:00:5e:00:00:01', '02:00:00:00:00:01']
  t.equal(lowestMac(cards), '02:00:00:00:00:01', 'neither zero nor a group is a card')
})

t.test('a token survives being copied, and nothing else passes for one', async (t) => {
  const token = {
    use: 'join',
    clusterId: cluster,
    pin: key('b'),
    id: '0123456789abcdef',
    secret: key('d'),
  } as const
  const text = formatToken(token)
  t.match(text, /^J1\.c{32}\.b{64}\.0123456789abcdef\.d{64}$/)
  t.same(parseToken(` ${text}\n`), token)
  for (const bad of ['', 'J1', text.slice(1), `${text}0`, text.replace('J1', 'J2'), `${text}.x`]) {
    t.equal(parseToken(bad), undefined)
  }
  const api = { ...token, use: 'api' } as const
  const shown = { id: token.id, secret: token.secret }
  t.same(parseBearer(formatBearer(api)), shown)
  t.same(parseBearer(formatToken(api)), shown, 'curl with the whole token')
  t.equal(parseBearer(text), undefined, 'a join token opens no API')
})

t.test('a join token: right secret, in time, with a use left', async (t) => {
  const record: TokenRecord = {
    v: 1,
    id: 'x',
    secretHash: key('1'),
    scope: 'machine',
    roleCeiling: 'voter',
    usesLeft: 1,
    expiresMs: nowMs + 1,
    createdMs: 0,
  }
  const ask = (over: Partial<TokenRecord>, secretMatches = true) =>
    checkJoinToken({ record: { ...record, ...over }, secretMatches, nowMs })
  t.equal(ask({}).kind, 'accepted')
  t.match(ask({}, false), { code: 'JGD_TOKEN_INVALID' })
  t.match(checkJoinToken({ record: undefined, secretMatches: true, nowMs }), {
    code: 'JGD_TOKEN_INVALID',
  })
  t.match(ask({ expiresMs: nowMs }), { code: 'JGD_TOKEN_EXPIRED' })
  t.match(ask({ usesLeft: 0 }), { code: 'JGD_TOKEN_USED_UP' })
  t.match(ask({ scope: 'admin' }), { code: 'JGD_FORBIDDEN' })
  t.match(ask({ usesLeft: 0 }, false), { code: 'JGD_TOKEN_INVALID' }, 'a guesser learns nothing')
})

t.test('each API scope holds the smaller ones', async (t) => {
  const allowed = (scope: TokenRecord['scope'], needed: 'read' | 'deploy' | 'admin'): boolean => {
    const record: TokenRecord = {
      v: 1,
      id: 'x',
      secretHash: key('1'),
      scope,
      roleCeiling: 'client',
      usesLeft: 0,
      expiresMs: nowMs + 1,
      createdMs: 0,
    }
    return checkApiToken({ record, secretMatches: true, nowMs }, needed).kind === 'accepted'
  }
  const needs = ['read', 'deploy', 'admin'] as const
  const table = (scope: TokenRecord['scope']) => needs.map((needed) => allowed(scope, needed))
  t.same(table('admin'), [true, true, true])
  t.same(table('deploy'), [true, true, false])
  t.same(table('read'), [true, false, false])
  t.same(table('machine'), [false, false, false])
})

t.test('a nonce is redeemed by one key, as often as its answers are lost', async (t) => {
  const redeemed: NonceRecord = {
    v: 1,
    keyHash: key('1'),
    machineId: id,
    redeemedMs: 1,
    expiresMs: nowMs,
  }
  const ask = (over: Partial<Parameters<typeof decideRedemption>[0]>) =>
    decideRedemption({
      redeemed: undefined,
      keyHash: key('1'),
      known: false,
      expiresMs: nowMs + 1,
      nowMs,
      ...over,
    })
  t.same(ask({}), { kind: 'redeem' })
  t.same(ask({ redeemed }), { kind: 'again' })
  t.match(ask({ redeemed, keyHash: key('2') }), { code: 'JGD_NONCE_REUSED' })
  t.match(ask({ expiresMs: nowMs }), { code: 'JGD_NONCE_INVALID' })
  t.same(ask({ expiresMs: nowMs, redeemed }), { kind: 'again' }, 'it polls past the expiry')
  t.same(ask({ expiresMs: nowMs, known: true }), { kind: 'again' }, 'and past the trimming')
})

t.test('an unknown machine: a token lets it in, a nonce by the policy', async (t) => {
  t.match(decideAdmission(byToken()), { kind: 'admit', roleCeiling: 'voter' })
  const ask = (policy: 'sticky' | 'approve' | 'auto') =>
    decideAdmission(byNonce({ proof: { kind: 'nonce', policy } })).kind
  t.same([ask('sticky'), ask('approve'), ask('auto')], ['wait', 'wait', 'admit'])
})

t.test('an operator approves once; then the machine comes back unattended', async (t) => {
  const waiting = waitingRecord(undefined, applicant, nowMs)
  t.ok(isWaiting(waiting))
  t.equal(decideAdmission(byNonce({ admission: waiting, keyHash: key('1') })).kind, 'wait')
  const approved = approve(waiting, 'sticky', 'client', nowMs)
  t.notOk(isListedKey(approved, key('1')), 'approved is not yet a member')
  const first = decideAdmission(byNonce({ admission: approved, keyHash: key('1') }))
  t.match(first, { kind: 'admit', sticky: true })
  const back = byNonce({ admission: member(), machine: machine('lost', key('1')) })
  t.match(decideAdmission(back), { kind: 'admit', sticky: true })
  const approveEach = approve(waiting, 'approve', 'client', nowMs)
  t.notOk(approveEach.sticky)
  t.equal(decideAdmission(byNonce({ admission: member({ sticky: false }) })).kind, 'wait')
})

t.test('a live machine never re-enrols under another key, whatever it shows', async (t) => {
  const live = { admission: member(), machine: machine('ready', key('1')) }
  t.match(decideAdmission(byNonce(live)), { code: 'JGD_MACHINE_LIVE' })
  t.match(decideAdmission(byToken(live)), { code: 'JGD_MACHINE_LIVE' })
  const auto = { kind: 'nonce', policy: 'auto' } as const
  t.match(decideAdmission(byNonce({ ...live, proof: auto })), { code: 'JGD_MACHINE_LIVE' })
  t.same(decideAdmission(byNonce({ ...live, keyHash: key('1') })), { kind: 'again' })
  const left = { admission: member(), machine: machine('left', key('1')) }
  t.match(decideAdmission(byToken(left)), { kind: 'admit' })
})

t.test('one UUID in two machines: the second goes by its MAC address', async (t) => {
  const other = { admission: member(), macs: ['52:54:00:00:00:99'] }
  t.same(decideAdmission(byNonce(other)), { kind: 'otherHardware' })
  t.same(decideAdmission(byToken(other)), { kind: 'otherHardware' })
})

t.test('a key that waits for another one’s place takes it only when approved', async (t) => {
  const admitted = member({ sticky: false })
  const other = { ...applicant, keyHash: key('2') }
  const asked = waitingRecord(admitted, other, nowMs)
  t.ok(isListedKey(asked, key('1')), 'the disk-booted self is not locked out')
  t.ok(isWaiting(asked))
  t.equal(decideAdmission(byNonce({ admission: asked })).kind, 'wait')
  const approved = approve(asked, 'sticky', 'client', nowMs)
  t.notOk(isListedKey(approved, key('1')))
  t.match(decideAdmission(byNonce({ admission: approved })), { kind: 'admit' })
})

t.test('an operator’s no holds for both keys and both proofs', async (t) => {
  const refused = member({ state: 'refused' })
  for (const keyHash of [key('1'), key('2')]) {
    t.match(decideAdmission(byNonce({ admission: refused, keyHash })), { code: 'JGD_FORBIDDEN' })
    t.match(decideAdmission(byToken({ admission: refused, keyHash })), { code: 'JGD_FORBIDDEN' })
  }
})

t.test('a certificate names cluster and machine; its dates only warn', async (t) => {
  const claim = { clusterId: cluster, machineId: id }
  t.match(judgeCertificate(claim, cluster), { kind: 'ours', machineId: id })
  t.match(judgeCertificate(claim, clusterId('d'.repeat(32))), { code: 'JGD_WRONG_CLUSTER' })
  t.match(judgeCertificate({ ...claim, machineId: 'jangada CA' }, cluster), {
    code: 'JGD_WRONG_CLUSTER',
  })
  t.match(judgeCertificate(claim, cluster, machineId('b'.repeat(32))), { code: 'JGD_KEY_UNKNOWN' })
  const dayMs = 86_400_000
  const life = certificateLifetime(nowMs)
  t.notOk(isRenewalDue(life, nowMs + 59 * dayMs))
  t.ok(isRenewalDue(life, nowMs + 61 * dayMs))
  t.ok(isOutOfDate(life, nowMs + 90 * dayMs))
  t.same(alternativeNames(id, ['10.0.0.1', 'bank.example', '10.0.0.999', 'fe80::1']).slice(4), [
    '10.0.0.1',
    'fe80::1',
  ])
})
