/** Revisions of a recovered cluster: nodes, programs and containers remember those of the one before. */
import t from 'tap'
import { revision } from '../../../src/base/ids.ts'
import { planRecovery, recover } from '../../../src/tools/offline/recover.ts'
import { put, startMember, survivor, textOf } from './fixture.ts'

const { signal } = new AbortController()

t.test('what the lost majority numbered last is behind whatever comes after', async (t) => {
  const directory = t.testdir()
  const cluster = await survivor(directory)
  const { kept } = await planRecovery(directory)
  // Nobody here knows how far the others came: a placement of theirs may be of any of these.
  const lost = kept.revision + 100_000
  await recover(directory)
  const first = await startMember(directory, cluster)
  t.ok(first.store.member.store.revision > lost, 'a node that kept running takes its answers')
  const { items } = await first.store.range({ key: 'app/a' }, 'linearizable')
  t.ok((items[0]?.createRevision ?? lost) <= kept.revision, 'what runs keeps its generation')
  await put(first.store, { 'app/new': 'placed again' })
  const [placed] = (await first.store.range({ key: 'app/new' }, 'linearizable')).items
  t.ok((placed?.createRevision ?? 0) > lost, 'and what is placed anew has a higher one')
  const watch = first.store.watch({ key: 'app/a', fromRevision: revision(lost) }, signal)
  const next = watch[Symbol.asyncIterator]().next()
  await t.rejects(next, { code: 'JGD_COMPACTED' }, 'a watch from before lists anew')
  await first.stop()

  const { kept: again } = await planRecovery(directory)
  await recover(directory)
  const second = await startMember(directory, cluster)
  t.ok(second.store.member.store.revision > again.revision + 100_000, 'and so each time')
  t.equal(await textOf(second.store, 'app/b'), 'perhaps')
  t.equal(await textOf(second.store, 'app/new'), 'placed again')
  await second.stop()
})
