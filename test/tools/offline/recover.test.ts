/** A majority is lost for good: what one voter has is looked at first, and then gone on with. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { planRecovery, recover } from '../../../src/tools/offline/recover.ts'
import { digestsOf, put, startMember, survivor, textOf } from './fixture.ts'

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
  // The leader had begun to make this machine a new member, and that was cut short.
  await disk.makeDirectory('wal')
  await disk.makeDirectory('wal/segments')
  await t.rejects(planRecovery(directory), { code: 'JGD_NOT_FOUND', hint: /wal\.aside-1.*--log/ })
  await recover(directory, 'wal.aside-1')
  const { store, stop } = await startMember(directory, cluster)
  t.equal(await textOf(store, 'app/b'), 'perhaps')
  await stop()
  await t.rejects(recover(directory, 'wal.aside-1'), { code: 'JGD_CONFLICT', hint: /--log/ })
  t.ok(readdirSync(path.join(directory, 'wal.aside-1')).length > 0, 'what was aside stays')
})
