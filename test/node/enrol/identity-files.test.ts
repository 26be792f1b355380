import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { clusterId, machineId } from '../../../src/base/ids.ts'
import {
  loadOrMakeKey,
  readIdentity,
  readPeers,
  writeCertificate,
  writeIdentity,
  writePeers,
  type IdentityFiles,
} from '../../../src/node/enrol/identity-files.ts'
import { nodeCrypto } from '../../../src/platform/crypto.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { replaceFile } from '../../../src/ports/disk.ts'

const crypto = nodeCrypto()

function openDirectory(t: Test) {
  const directory = mkdtempSync(path.join(tmpdir(), 'jangada-identity-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return { directory, disk: directoryDisk(directory) }
}

const filesWith = (privateKeyPem: string): IdentityFiles => ({
  clusterId: clusterId('c'.repeat(32)),
  machineId: machineId('a'.repeat(32)),
  roleCeiling: 'voter',
  privateKeyPem,
  certificatePem: 'certificate\n',
  authorityPem: 'authority\n',
})

t.test('an identity is kept whole, and its key is for root alone', async (t) => {
  const { directory, disk } = openDirectory(t)
  t.equal(await readIdentity(disk), undefined)
  const key = await loadOrMakeKey(disk, crypto)
  t.equal(await readIdentity(disk), undefined, 'a key alone is no membership')
  t.same(await loadOrMakeKey(disk, crypto), key, 'asked again, the same key')
  const files = filesWith(key.privateKeyPem)
  await writeIdentity(disk, files)
  t.same(await readIdentity(disk), files)
  await writeCertificate(disk, 'renewed\n')
  t.same(await readIdentity(disk), { ...files, certificatePem: 'renewed\n' })
  t.equal(statSync(path.join(directory, 'machine-key.pem')).mode & 0o777, 0o600)
})

t.test('peers are remembered over a restart', async (t) => {
  const { disk } = openDirectory(t)
  t.same(await readPeers(disk), [])
  const peers = [{ machineId: 'a'.repeat(32), address: '10.0.0.1:7382' }]
  await writePeers(disk, peers)
  t.same(await readPeers(disk), peers)
})

t.test('damage is told, and never taken for an empty directory', async (t) => {
  const { disk } = openDirectory(t)
  await writeIdentity(disk, filesWith('key'))
  await disk.remove('ca.pem')
  await t.rejects(readIdentity(disk), { code: 'JGD_STATE_DIR' })
  for (const torn of ['', '{"v":1', '{"v":2}', '{"v":1,"clusterId":"x"}']) {
    await replaceFile(disk, 'identity.json', utf8(torn))
    await t.rejects(readIdentity(disk), { code: 'JGD_STATE_DIR' })
    await replaceFile(disk, 'peers.json', utf8(torn))
    await t.rejects(readPeers(disk), { code: 'JGD_STATE_DIR' })
  }
})
