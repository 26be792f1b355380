/** A majority is lost for good: what one voter has is looked at first, and then gone on with. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { index, memberId, term } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { members } from '../../../src/core/records/keyspace.ts'
import { encodeCommand } from '../../../src/core/store/command-codec.ts'
import { identityOf, Wal } from '../../../src/node/wal/wal.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { planRecovery, recover } from '../../../src/tools/offline/recover.ts'
import { digestsOf, newCluster, put, startMember, textOf } from './fixture.ts'

/** One of three voters, whose last entry never reached the others as far as it knows. */
async function survivor(directory: string): Promise<string> {
  const { clusterId } = await newCluster(directory)
  const { store, stop } = await startMember(directory, clusterId)
  const lost = (id: number) =>
    ({
      v: 1,
      memberId: id,
      machineId: String(id).repeat(32),
      address: `192.0.2.${id}:7382`,
      incarnation: 'f'.repeat(32),
      addedMs: 0,
    }) as const
  await store.transact({
    compare: [],
    then: [members.put(lost(2), '2'), members.put(lost(3), '3')],
    otherwise: [],
  })
  await put(store, { 'app/a': 'agreed' })
  await stop()
  const disk = directoryDisk(directory)
  const identity = await identityOf(disk)
  if (identity === undefined) throw new Error('there is a log')
  const onFailure = (error: Error): void => {
    throw error
  }
  const { wal, restored } = await Wal.open(disk, identity, { onFailure })
  const last = restored.entries.at(-1)?.index ?? 0
  const write = { kind: 'put', key: 'app/b', value: utf8('perhaps') } as const
  const transaction = { compare: [], then: [write], otherwise: [] }
  const data = encodeCommand({ kind: 'transaction', transaction })
  const inTerm = term(restored.hardState.term + 3)
  await wal.append({
    entries: [{ kind: 'normal', index: index(last + 1), term: inTerm, data }],
    hardState: { term: inTerm, vote: memberId(2), commit: index(last) },
  })
  await wal.close()
  return clusterId
}

t.test('first what would be kept and lost, with nothing changed; then it is done', async (t) => {
  const directory = t.testdir()
  const cluster = await survivor(directory)
  const before = digestsOf(directory)
  const plan = await planRecovery(directory)
  t.same(digestsOf(directory), before, 'to look changes nothing')
  t.match(plan, { member: 1, log: 'wal', kept: { clusterId: cluster, userKeys: 2 } })
  t.equal(plan.last - plan.commit, 1, 'one entry is not known to be agreed on')
  t.same(
    plan.others.map(({ address }) => address),
    ['192.0.2.2:7382', '192.0.2.3:7382'],
  )

  t.same(await recover(directory), plan)
  const { store, stop } = await startMember(directory, cluster)
  t.equal(store.member.id, plan.newMember, 'it is a member that never was before')
  const reached = store.member.status()
  t.ok(
    reached.lastIndex >= plan.newMember && reached.term > 1000,
    'what others may have used is not used again',
  )
  t.equal(await textOf(store, 'app/a'), 'agreed')
  t.equal(await textOf(store, 'app/b'), 'perhaps', 'what may have been acknowledged is kept')
  t.same(
    store.knownMembers().map(({ id }) => id),
    [plan.newMember],
  )
  t.match(await put(store, { 'app/c': 'goes on' }), { succeeded: true })

  await t.rejects(planRecovery(directory), { code: 'JGD_CONFLICT', hint: /stop it first/ })
  await stop()
  t.equal(readdirSync(directory).filter((name) => name.startsWith('wal.aside-')).length, 1)
})

t.test('a directory with nothing to recover is told apart, each with what to do', async (t) => {
  const directory = t.testdir()
  await t.rejects(planRecovery(directory), { code: 'JGD_NOT_INITIALIZED', hint: /--state-dir/ })
  const cluster = await survivor(directory)
  const disk = directoryDisk(directory)
  await disk.rename('wal', 'wal.aside-1')
  await t.rejects(planRecovery(directory), { code: 'JGD_NOT_FOUND', hint: /wal\.aside-1.*--log/ })
  await recover(directory, 'wal.aside-1')
  const { store, stop } = await startMember(directory, cluster)
  t.equal(await textOf(store, 'app/b'), 'perhaps')
  await stop()
  await t.rejects(recover(directory, 'wal.aside-1'), { code: 'JGD_CONFLICT', hint: /--log/ })
  t.ok(readdirSync(path.join(directory, 'wal.aside-1')).length > 0, 'what was aside stays')
})
