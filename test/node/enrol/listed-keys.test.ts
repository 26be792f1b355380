import t from 'tap'
import { machineId, revision } from '../../../src/base/ids.ts'
import { admissions } from '../../../src/core/records/keyspace.ts'
import type { AdmissionRecord } from '../../../src/core/records/schemas.ts'
import { memberRecord } from '../../../src/core/trust/admission.ts'
import { ListedKeys } from '../../../src/node/enrol/listed-keys.ts'
import { follow } from '../../../src/node/member/follow.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { localStore } from '../bootd/local-store.ts'
import { silent } from './fixture.ts'

const [first, second] = [machineId('1'.repeat(32)), machineId('2'.repeat(32))]
const key = (letter: string): string => letter.repeat(64)
const peer = (id: string, keyHash: string) => ({ machineId: id, keyHash })

const admission = (id: typeof first, keyHash: string): AdmissionRecord => {
  const applicant = {
    machineId: id,
    keyHash,
    publicKey: '',
    name: '',
    macs: [],
    uuid: '',
    address: '',
  }
  const by = { by: 'token', tokenId: '' } as const
  return memberRecord(undefined, applicant, by, { roleCeiling: 'client', sticky: false }, 1)
}

t.test('handshakes know within one change who is listed', async (t) => {
  const { access } = localStore()
  const stop = new AbortController()
  let isUpToDate = true
  let removals = 0
  let heard = (): void => undefined
  const listed = new ListedKeys(
    () => isUpToDate,
    () => {
      removals += 1
      heard()
    },
  )
  const removal = (): Promise<void> =>
    new Promise((resolve) => {
      heard = resolve
    })
  const write = (record: AdmissionRecord) =>
    access.transact({
      compare: [],
      then: [admissions.put(record, record.machineId)],
      otherwise: [],
    })
  t.ok(listed.isListed(peer(first, key('a'))), 'a node that knows nothing yet lets the CA speak')
  await write(admission(first, key('a')))
  await write(admission(second, key('b')))
  const begun = removal()
  const following = follow({
    store: access,
    clock: systemClock(),
    log: silent,
    range: listed.range,
    follower: listed,
    signal: stop.signal,
  })

  await begun
  const replaced = removal()
  t.ok(listed.isListed(peer(first, key('a'))))
  t.notOk(listed.isListed(peer(first, key('c'))))
  t.notOk(listed.isListed(peer(second, key('a'))), 'a key is one machine’s')
  await write(admission(first, key('c')))
  await replaced
  t.ok(listed.isListed(peer(first, key('c'))))
  t.notOk(listed.isListed(peer(first, key('a'))))

  const gone = removal()
  const then = [{ kind: 'delete', key: admissions.key(second) } as const]
  await access.transact({ compare: [], then, otherwise: [] })
  await gone
  t.notOk(listed.isListed(peer(second, key('b'))))
  t.equal(removals, 3, 'and once for whoever came before the first list')

  isUpToDate = false
  t.ok(listed.isListed(peer(second, key('e'))), 'behind: it may have joined meanwhile')
  t.notOk(listed.isListed(peer(second, key('b'))), 'but what is known to be removed stays out')
  stop.abort()
  await following
})

t.test('what is older than what is known brings nobody back, and shuts nobody out', (t) => {
  const item = (id: typeof first, keyHash: string, at: number) => {
    const put = admissions.put(admission(id, keyHash), id)
    if (put.kind !== 'put') throw new Error('an admission is put')
    const { key: name, value } = put
    const [createRevision, modRevision] = [revision(at), revision(at)]
    return { key: name, value, createRevision, modRevision, version: 1, lease: undefined }
  }
  const listed = new ListedKeys(
    () => true,
    () => undefined,
  )
  listed.reset([item(first, key('a'), 5)], 5)
  listed.change([{ kind: 'put', item: item(second, key('b'), 6) }], 6)
  listed.reset([item(first, key('a'), 5)], 5)
  t.ok(listed.isListed(peer(second, key('b'))), 'a list from before it was let in')
  const gone = { kind: 'delete', key: admissions.key(first), revision: revision(7) } as const
  listed.change([gone], 7)
  listed.reset([item(first, key('a'), 5), item(second, key('b'), 6)], 6)
  t.notOk(listed.isListed(peer(first, key('a'))), 'a list from before it was removed')
  listed.change([{ kind: 'put', item: item(first, key('a'), 5) }], 5)
  t.notOk(listed.isListed(peer(first, key('a'))), 'and a watch that comes after the list')
  t.end()
})
