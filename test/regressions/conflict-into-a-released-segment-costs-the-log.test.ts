import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { index } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { Wal } from '../../src/node/wal/wal.ts'
import {
  codeOf,
  entries,
  entry,
  hard,
  identity,
  newDisk,
  open,
  small,
  snapshotAt,
} from '../node/wal/fixture.ts'

const segmentsOf = (disk: Disk): Promise<readonly string[]> => disk.list('wal/segments')

/** Entries from 4 on fill a segment, and others take the place of all of them in the next one. */
async function conflict(mount: Disk): Promise<{ readonly wal: Wal; readonly last: number }> {
  const { wal } = await Wal.create(mount, identity, small())
  await wal.append({ entries: entries(1, 3, 1), hardState: hard(1, 7, 3) })
  let last = 3
  // The one after that in use is made ahead of need.
  while ((await segmentsOf(mount)).length < 3) {
    last += 1
    await wal.append({ entries: [entry(last, 1, 300)] })
  }
  await wal.append({ truncateFrom: index(4), entries: entries(4, 6, 2), hardState: hard(2, 0, 3) })
  return { wal, last }
}

/**
 * A leader that was cut off had filled a segment with entries that nobody else took. The next leader's
 * took their place in the segment after it. Once a snapshot covered them all the full segment was
 * released, and at the next start the one after it "voided entries that it does not hold": the member
 * set a good log aside, and a cluster that could lose one member more could not any longer.
 */
t.test('a conflict that reaches into a segment released since is no damage', async (t) => {
  const disk = newDisk()
  const mount = disk.mount()
  const { wal, last } = await conflict(mount)
  t.ok(last > 6, 'what is void was in the segment before')
  await wal.append({ entries: entries(7, last + 4, 2), hardState: hard(2, 0, last + 4) })
  for (const at of [last + 2, last + 3]) await wal.writeSnapshot(snapshotAt(at, 2), [utf8('state')])
  const before = await segmentsOf(mount)
  await wal.release(index(last + 2))
  t.not((await segmentsOf(mount))[0], before[0], 'the segment with what is void is gone')

  disk.losePower()
  const again = await open(disk.mount(), small())
  t.equal(again.restored.snapshot.index, last + 3)
  t.same(again.restored.hardState, hard(2, 0, last + 4))
  t.same(again.restored.entries.at(-1), entry(last + 4, 2))
  await again.wal.append({ entries: [entry(last + 5, 2)] })
  await again.wal.close()
  t.same((await open(disk.mount(), small())).restored.entries.at(-1), entry(last + 5, 2))
})

t.test(
  'without the snapshot it is damage all the same: what came before is not there',
  async (t) => {
    const disk = newDisk()
    const { wal } = await conflict(disk.mount())
    await wal.close()
    const mount = disk.mount()
    await mount.remove(`wal/segments/${(await segmentsOf(mount))[0]}`)
    t.equal(await codeOf(open(mount, small())), 'JGD_WAL_DAMAGED')
  },
)
