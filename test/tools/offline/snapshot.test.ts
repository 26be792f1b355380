/** A copy of the state: saved while writes go on, verified to the last byte, and restored. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { isJangadaError } from '../../../src/base/errors.ts'
import { clusterId } from '../../../src/base/ids.ts'
import { initialise } from '../../../src/daemon/membership.ts'
import {
  admissions,
  clusterSettings,
  labels,
  machines,
  members,
  tokens,
} from '../../../src/core/records/keyspace.ts'
import type { MachineRecord } from '../../../src/core/records/schemas.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { SnapshotSaver } from '../../../src/node/member/snapshot-save.ts'
import { planRestore } from '../../../src/tools/offline/restore.ts'
import { saveSnapshot } from '../../../src/tools/offline/save.ts'
import { verifySnapshot } from '../../../src/tools/offline/snapshot-file.ts'
import { clock, digestsOf, machineIn, newCluster, put, startMember, textOf } from './fixture.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'

const never = new AbortController().signal

const machineRecord = (name: string): MachineRecord => ({
  ...{ v: 1, id: name.slice(1).padStart(32, '0'), name, address: '192.0.2.2' },
  ...{ keyHash: '0'.repeat(64), metadata: {}, status: 'ready', statusSinceMs: 1, bootId: '' },
  ...{ cpus: 1, memoryBytes: 1, roleCeiling: 'client', durable: true, version: '0' },
  liveRestore: true,
})

const directory = t.testdir({ old: {}, new: {} })
const at = (name: string): string => path.join(directory, name)
const old = await newCluster(at('old'))
const { store, stop } = await startMember(at('old'), old.clusterId)
for (let n = 0; n < 40; n += 1) {
  await put(store, { [`app/${n}`]: 'x'.repeat(5000), 'app/last': String(n) })
}
const rack = { rack: 'a', disk: null }
for (const [name, overrides] of [
  ['n2', rack],
  ['n3', undefined],
] as const) {
  const record = { ...machineRecord(name), ...(overrides && { overrides }) }
  await store.transact({ compare: [], then: [machines.put(record, record.id)], otherwise: [] })
}
const saver = new SnapshotSaver(() => clusterId(old.clusterId), clock)

t.test('what is written while it is saved is not in it, and nothing else changes', async (t) => {
  async function* withWrites(): AsyncGenerator<Uint8Array> {
    for await (const piece of saver.save(store, never)) {
      await put(store, { 'app/0': 'later', 'app/new': 'later' })
      yield piece
    }
  }
  const report = await saveSnapshot(at('a.snapshot'), withWrites(), { replace: false })
  t.match(report, { clusterId: old.clusterId, userKeys: 41, units: 0, path: at('a.snapshot') })
  t.same(await verifySnapshot(at('a.snapshot')), report)
  t.notOk(existsSync(at('a.snapshot.part')))
})

t.test('a file that is there is not written over unasked', async (t) => {
  const again = saveSnapshot(at('a.snapshot'), saver.save(store, never), { replace: false })
  await t.rejects(again, { code: 'JGD_CONFLICT' })
  const { userKeys } = await saveSnapshot(at('b.snapshot'), saver.save(store, never), {
    replace: true,
  })
  t.equal(userKeys, 42)
})

t.test('one at a time, and one that was left is not in the way', async (t) => {
  const first = saver.save(store, never)
  await first.next()
  await t.rejects(saver.save(store, never).next(), { code: 'JGD_OVERLOADED' })
  await first.return(undefined)
  const second = saver.save(store, never)
  await second.next()
  await second.return(undefined)
})
t.test('a reader that stands still holds nothing after ten minutes', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  const patient = new SimulatedClock(time, new SeededRandom(2))
  const slow = new SnapshotSaver(() => clusterId(old.clusterId), patient)
  const reader = slow.save(store, never)
  await reader.next()
  await time.runFor(601_000)
  const another = slow.save(store, never)
  t.match(await another.next(), { done: false }, 'it is not in the way of the next')
  await another.return(undefined)
  const rest = async (): Promise<void> => {
    while (!(await reader.next()).done);
  }
  await t.rejects(rest(), { code: 'JGD_OVERLOADED' }, 'and what it gets is no whole snapshot')
})

t.test('the cluster is stopped', stop)

t.test('no flipped byte and no missing end passes', async (t) => {
  const whole = readFileSync(at('a.snapshot'))
  const codeWith = async (bytes: Uint8Array): Promise<string> => {
    writeFileSync(at('c.snapshot'), bytes)
    return verifySnapshot(at('c.snapshot')).then(
      () => 'passed',
      (error: unknown) => (isJangadaError(error) ? error.code : String(error)),
    )
  }
  const codes = new Set<string>()
  for (let offset = 0; offset < whole.length; offset += 997) {
    const bytes = Buffer.from(whole)
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x10
    codes.add(await codeWith(bytes))
  }
  for (const length of [0, 10, 100, whole.length - 9, whole.length - 1]) {
    codes.add(await codeWith(whole.subarray(0, length)))
  }
  t.same([...codes], ['JGD_WAL_DAMAGED'])
  t.equal(await codeWith(whole), 'passed')
  await t.rejects(verifySnapshot(at('none')), { code: 'JGD_NOT_FOUND' })
})

t.test('a transfer that breaks off leaves no file', async (t) => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield readFileSync(at('a.snapshot')).subarray(0, 50_000)
  }
  await t.rejects(saveSnapshot(at('d.snapshot'), broken(), { replace: false }), {
    code: 'JGD_WAL_DAMAGED',
    hint: /take another copy/,
  })
  t.notOk(existsSync(at('d.snapshot')))
  t.notOk(existsSync(at('d.snapshot.part')))
})

t.test('restored, it is another cluster with the same state', async (t) => {
  const { makeLog, report, settings, leftOut } = await planRestore(at('a.snapshot'))
  t.match(leftOut, { members: 1, tokens: 1, admissions: 1 })
  const { voters, admission } = settings
  const made = await initialise({ ...machineIn(at('new')), voters, admission }, makeLog)
  t.not(made.clusterId, old.clusterId)
  const restored = await startMember(at('new'), made.clusterId)
  t.equal(await textOf(restored.store, 'app/0'), 'x'.repeat(5000))
  t.equal(await textOf(restored.store, 'app/last'), '39')
  t.equal(await textOf(restored.store, 'app/new'), undefined)
  t.ok(restored.store.member.store.revision > report.revision, 'revisions go on from there')
  const countOf = async (range: { key: string; rangeEnd: string }): Promise<number> =>
    (await restored.store.range(range, 'linearizable')).items.length
  t.same([await countOf(members.range), await countOf(tokens.range)], [1, 1])
  t.equal(await countOf(admissions.range), 1)
  t.equal(await countOf(machines.range), 0)
  const waiting = await restored.store.range(labels.range, 'linearizable')
  t.match(
    waiting.items.map((item) => labels.read(item)?.value),
    [{ machineId: machineRecord('n2').id, overrides: rack }],
    'what people said of machines waits for them',
  )
  const { items } = await restored.store.range({ key: clusterSettings.key('cluster') }, 'local')
  t.match(clusterSettings.read(items[0] as never)?.value, {
    clusterId: made.clusterId,
    admission: 'approve',
    voters: 1,
  })
  t.match(await put(restored.store, { 'app/after': 'x' }), { succeeded: true })
  await restored.stop()
  const again = initialise({ ...machineIn(at('new')), voters, admission }, makeLog)
  await t.rejects(again, { code: 'JGD_ALREADY_INITIALIZED' })
})

t.test('a log that is still there is not written over, though nobody claims it', async (t) => {
  const { makeLog, settings } = await planRestore(at('a.snapshot'))
  const { voters, admission } = settings
  rmSync(path.join(at('new'), 'identity.json'))
  const before = digestsOf(path.join(at('new'), 'wal'))
  await t.rejects(initialise({ ...machineIn(at('new')), voters, admission }, makeLog), {
    code: 'JGD_WAL_FOREIGN',
  })
  t.same(digestsOf(path.join(at('new'), 'wal')), before)
  t.notOk(existsSync(path.join(at('new'), 'wal.new')))
})
