/** OpenSSL's own command, as a second opinion on what we sign. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { nodeCrypto } from '../../src/platform/crypto.ts'

const crypto = nodeCrypto()
const clusterId = 'c'.repeat(32)
const machineId = 'a'.repeat(32)

t.test('openssl verifies our chain and reads what we wrote', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'jangada-crypto-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const [caFile, leafFile] = [path.join(directory, 'ca.pem'), path.join(directory, 'leaf.pem')]
  const now = Date.now()
  const lifetime = { notBeforeMs: now - 1000, notAfterMs: now + 86_400_000 }
  const key = await crypto.generateKey()
  const certificatePem = await crypto.makeAuthority(key, { clusterId, ...lifetime })
  const { publicKeySpki } = await crypto.generateKey()
  const leaf = await crypto.issueCertificate(
    { key, certificatePem },
    {
      clusterId,
      machineId,
      ...lifetime,
      publicKeySpki,
      alternativeNames: ['10.1.2.3', '::1', 'jangada'],
    },
  )
  writeFileSync(caFile, certificatePem)
  writeFileSync(leafFile, leaf)
  const openssl = (...args: string[]): string =>
    execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  t.match(openssl('verify', '-x509_strict', '-CAfile', caFile, leafFile), /leaf\.pem: OK/)
  for (const purpose of ['sslserver', 'sslclient']) {
    t.match(openssl('verify', '-purpose', purpose, '-CAfile', caFile, leafFile), /OK/)
  }
  const text = openssl('x509', '-in', leafFile, '-noout', '-text')
  t.match(text, `Subject: CN = ${machineId}, O = ${clusterId}`)
  t.match(text, 'DNS:jangada')
  t.match(text, 'IP Address:10.1.2.3')
  t.match(text, 'CA:FALSE')
  t.match(openssl('x509', '-in', caFile, '-noout', '-text'), 'CA:TRUE, pathlen:0')
})

t.test('a key of another kind is no machine’s key', async (t) => {
  const pem = execFileSync('openssl', ['genpkey', '-algorithm', 'ED25519'], { encoding: 'utf8' })
  await t.rejects(crypto.importKey(pem), { code: 'JGD_STATE_DIR' })
})
