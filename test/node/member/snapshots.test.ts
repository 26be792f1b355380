/** When a member writes its state anew. */
import t from 'tap'
import { isSnapshotDue } from '../../../src/node/member/snapshots.ts'

const mib = 1024 * 1024

/** The entries of `entryBytes` from one snapshot to the next, while the state has `stateBytes`. */
function entriesBetween(entryBytes: number, stateBytes: number): number {
  let entries = 1
  while (!isSnapshotDue(entries, entries * entryBytes, stateBytes)) entries += 1
  return entries
}

t.test('a small state is written every ten thousand entries, not sooner', async (t) => {
  t.equal(entriesBetween(350, 0), 10_000)
  t.equal(entriesBetween(350, 500_000), 10_000)
})

t.test('to write the state costs at most a quarter of what the log costs', async (t) => {
  for (const stateBytes of [1, 2, 5, 9].map((n) => n * mib)) {
    const entries = entriesBetween(350, stateBytes)
    t.ok(stateBytes <= (entries * 350) / 4, `${stateBytes / mib} MiB every ${entries} entries`)
  }
})

t.test('what is in memory of the log ends every wait, however large the state is', async (t) => {
  const large = entriesBetween(350, 500 * mib)
  t.ok(large > 100_000, `${large} entries, not ten thousand: 500 MiB are not written every 3 MiB`)
  t.ok(large * (350 + 256) < 65 * mib, 'and no more than 64 MiB of them')
  t.equal(entriesBetween(mib, 500 * mib), 64, 'large ones')
  t.ok(entriesBetween(1, 500 * mib) < 270_000, 'small ones, which cost more than their bytes')
})
