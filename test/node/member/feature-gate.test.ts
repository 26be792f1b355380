import t from 'tap'
import { commandLevels, levelOfMembers } from '../../../src/core/records/features.ts'
import { clusterSettings } from '../../../src/core/records/keyspace.ts'
import { requireLevelOf } from '../../../src/node/member/feature-gate.ts'
import { LocalStore } from '../../support/local-store.ts'

const settings = {
  v: 1,
  clusterId: 'c'.repeat(32),
  createdMs: 1,
  voters: 3,
  admission: 'sticky',
  status: 'full',
} as const

t.test('the cluster’s level is the lowest of its members’; who is silent is of the first', (t) => {
  t.equal(levelOfMembers([2, 3, 2]), 2)
  t.equal(levelOfMembers([2, undefined]), 1)
  t.equal(levelOfMembers([]), 1)
  t.end()
})

t.test('a command newer than the cluster does not enter the log', (t) => {
  const local = new LocalStore()
  const levels = { ...commandLevels, compact: 3 }
  const ask = (kind: 'compact' | 'transaction') => () =>
    requireLevelOf({ kind }, local.store, levels)
  t.throws(
    ask('compact'),
    { code: 'JGD_FEATURE_LEVEL' },
    'a cluster that says nothing has the first',
  )
  local.put(clusterSettings.put({ ...settings, featureLevel: 2 }, 'cluster'))
  t.throws(ask('compact'), { code: 'JGD_FEATURE_LEVEL', message: /level 3; the cluster's is 2/ })
  t.doesNotThrow(ask('transaction'))
  local.put(clusterSettings.put({ ...settings, featureLevel: 3 }, 'cluster'))
  t.doesNotThrow(ask('compact'))
  t.end()
})
