import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { Wal } from '../../src/node/wal/wal.ts'
import {
  codeOf,
  entry,
  hard,
  identity,
  newDisk,
  open,
  small,
  snapshotAt,
} from '../node/wal/fixture.ts'

/**
 * The segment after the one in use is made ahead of need. When the one in use was missing, that
 * empty one alone was taken for the whole log, the rest was cleared away, and a member that had
 * acknowledged thirty entries and voted came back under its old id as it was at its snapshot.
 */
t.test('a log whose segment in use is missing is damaged, with a snapshot too', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  await wal.append({ entries: [entry(1)], hardState: hard(1, 7, 1) })
  await wal.writeSnapshot(snapshotAt(1), [utf8('state')])
  for (let at = 2; at <= 30; at += 1) {
    await wal.append({ entries: [entry(at, 1, 300)], hardState: hard(1, 7, at - 1) })
  }
  await wal.close()
  const mount = disk.mount()
  const names = await mount.list('wal/segments')
  await mount.remove(`wal/segments/${names.at(-2)}`)
  t.equal(await codeOf(open(mount, small())), 'JGD_WAL_DAMAGED')
  t.equal((await mount.list('wal/segments')).length, names.length - 1, 'and what is left stays')
})
