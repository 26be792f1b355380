/** A state that a cluster begins anew with numbers on above what was numbered elsewhere. */
import t from 'tap'
import { index, revision, term } from '../../../src/base/ids.ts'
import { SnapshotRestore } from '../../../src/core/store/snapshot-restore.ts'
import type { Store } from '../../../src/core/store/store.ts'
import { compact, del, grant, Log, put, read, revoke } from './fixture.ts'

function restored(store: Store): Store {
  const restore = new SnapshotRestore()
  for (const piece of store.snapshotChunks()) restore.push(piece)
  const finished = restore.finish()
  if (finished.kind === 'fault') throw new Error(finished.reason)
  return finished.store
}

for (const writes of [0, 1, 300]) {
  t.test(
    `after ${writes} writes, revisions go on far ahead and the state is the same`,
    async (t) => {
      const log = new Log()
      log.apply(grant('lease'))
      for (let n = 0; n < writes; n += 1)
        log.write(put(`k${n % 7}`, String(n)), put('on', 'x', 'lease'))
      if (writes > 1) log.write(del('k3'))
      const before = read(log.store, 'a', 'z')
      const ahead = log.store.revision + 1000
      log.store.skipTo(revision(ahead))
      t.same(read(log.store, 'a', 'z'), before)
      t.same(log.store.history(revision(1), 'a', 'z'), { kind: 'compacted', floor: ahead })
      log.write(put('new'))
      t.equal(log.store.get('new')?.createRevision, ahead + 1)
      log.apply(compact(log.store.revision))

      const again = restored(log.store)
      t.same(again.stats(), log.store.stats())
      t.same(read(again, 'a', 'z'), read(log.store, 'a', 'z'))
      const position = { index: index(10_000), term: term(1) }
      again.apply(
        { kind: 'transaction', transaction: { compare: [], then: [del('new')], otherwise: [] } },
        position,
      )
      again.apply(revoke('lease'), position)
      t.same(again.history(revision(ahead + 2), 'new', undefined).kind, 'history')
      t.equal(again.get('on'), undefined)
      t.equal(restored(again).revision, again.revision)
    },
  )
}
