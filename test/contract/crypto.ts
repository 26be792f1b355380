/** What every side of `ports/Crypto` must do. */
import type { Test } from 'tap'
import { fromUtf8, toHex, utf8 } from '../../src/base/bytes.ts'
import type { Authority, Crypto } from '../../src/ports/crypto.ts'

const clusterId = 'c'.repeat(32)
const machineId = 'a'.repeat(32)
/** Whole seconds: X.509 has no finer dates. */
const notBeforeMs = Date.UTC(2026, 0, 1)
const notAfterMs = Date.UTC(2026, 3, 1)

const makeAuthority = async (crypto: Crypto): Promise<Authority> => {
  const key = await crypto.generateKey()
  const claims = { clusterId, notBeforeMs, notAfterMs }
  return { key, certificatePem: await crypto.makeAuthority(key, claims) }
}
const issueFor = async (crypto: Crypto, authority: Authority, publicKeySpki: Uint8Array) =>
  crypto.issueCertificate(authority, {
    clusterId,
    machineId,
    notBeforeMs,
    notAfterMs,
    publicKeySpki,
    alternativeNames: ['10.0.0.1', '::1', 'jangada'],
  })

export function cryptoContract(t: Test, makeSide: () => Crypto): void {
  t.test('hashes are the ones the standards give', (t) => hashes(t, makeSide()))
  t.test('a key comes back from its PEM as itself, and no two are alike', (t) =>
    keepsKeys(t, makeSide()),
  )
  t.test('a request proves its key; an altered one proves nothing', (t) =>
    readsRequests(t, makeSide()),
  )
  t.test('a certificate says whose it is, to those who know the authority', (t) =>
    readsCertificates(t, makeSide()),
  )
  t.test('another authority with the same name has not signed it', (t) =>
    refusesImpostors(t, makeSide()),
  )
  t.test('neither the authority itself nor a leaf that signs passes for a machine', (t) =>
    refusesSigners(t, makeSide()),
  )
  t.test('what is sealed to a key opens with it, and with nothing else', (t) =>
    seals(t, makeSide()),
  )
}

async function hashes(t: Test, crypto: Crypto): Promise<void> {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  t.equal(toHex(crypto.sha256(new Uint8Array())), empty)
  // RFC 4231, test case 2.
  const mac = crypto.hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))
  t.equal(toHex(mac), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
  t.ok(crypto.constantTimeEqual(utf8('same'), utf8('same')))
  t.notOk(crypto.constantTimeEqual(utf8('same'), utf8('sane')))
  t.notOk(crypto.constantTimeEqual(utf8('same'), utf8('same!')))
}

async function keepsKeys(t: Test, crypto: Crypto): Promise<void> {
  const key = await crypto.generateKey()
  t.same(await crypto.importKey(key.privateKeyPem), key)
  t.equal(key.keyHash, toHex(crypto.sha256(key.publicKeySpki)))
  t.not((await crypto.generateKey()).keyHash, key.keyHash)
  await t.rejects(crypto.importKey('not a key'), { code: 'JGD_STATE_DIR' })
}

async function readsRequests(t: Test, crypto: Crypto): Promise<void> {
  const key = await crypto.generateKey()
  const request = await crypto.makeRequest(key, machineId)
  t.same(await crypto.readRequest(request), {
    keyHash: key.keyHash,
    publicKeySpki: key.publicKeySpki,
  })
  const other = await crypto.makeRequest(await crypto.generateKey(), machineId)
  const spliced = request.slice(0, request.length / 2) + other.slice(request.length / 2)
  for (const bad of ['', 'nonsense', spliced, request.replace(/[b-y]/, 'z')]) {
    t.equal(await crypto.readRequest(bad), undefined)
  }
}

async function readsCertificates(t: Test, crypto: Crypto): Promise<void> {
  const authority = await makeAuthority(crypto)
  const key = await crypto.generateKey()
  const pem = await issueFor(crypto, authority, key.publicKeySpki)
  t.same(await crypto.readCertificate(pem, authority.certificatePem), {
    clusterId,
    machineId,
    keyHash: key.keyHash,
    notBeforeMs,
    notAfterMs,
  })
  t.equal(crypto.spkiHash(pem), key.keyHash)
  t.equal(crypto.spkiHash(authority.certificatePem), authority.key.keyHash)
}

async function refusesImpostors(t: Test, crypto: Crypto): Promise<void> {
  const [authority, impostor] = [await makeAuthority(crypto), await makeAuthority(crypto)]
  const { publicKeySpki } = await crypto.generateKey()
  const forged = await issueFor(crypto, impostor, publicKeySpki)
  t.equal(await crypto.readCertificate(forged, authority.certificatePem), undefined)
  t.equal(await crypto.readCertificate('nonsense', authority.certificatePem), undefined)
}

async function refusesSigners(t: Test, crypto: Crypto): Promise<void> {
  const authority = await makeAuthority(crypto)
  const { certificatePem } = authority
  t.equal(await crypto.readCertificate(certificatePem, certificatePem), undefined)
  const key = await crypto.generateKey()
  const leaf = { key, certificatePem: await issueFor(crypto, authority, key.publicKeySpki) }
  const grandchild = await issueFor(crypto, leaf, (await crypto.generateKey()).publicKeySpki)
  t.equal(await crypto.readCertificate(grandchild, certificatePem), undefined)
}

async function seals(t: Test, crypto: Crypto): Promise<void> {
  const [key, other] = [await crypto.generateKey(), await crypto.generateKey()]
  const sealed = await crypto.seal(key.publicKeySpki, utf8('the boot key'))
  const opened = await crypto.unseal(key, sealed)
  t.equal(opened && fromUtf8(opened), 'the boot key')
  t.equal(await crypto.unseal(other, sealed), undefined)
  for (let at = 0; at < sealed.length; at += 7) {
    const altered = sealed.slice()
    altered[at] = (altered[at] as number) ^ 1
    t.equal(await crypto.unseal(key, altered), undefined, `byte ${at} altered`)
  }
  t.equal(await crypto.unseal(key, sealed.subarray(0, 20)), undefined, 'cut short')
  t.equal(await crypto.unseal(key, sealed.subarray(0, -1)), undefined, 'cut by one')
  t.equal((await crypto.unseal(key, await crypto.seal(key.publicKeySpki, utf8(''))))?.length, 0)
}
