/** A recovery that cannot be finished leaves what it was to begin from as it was. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { recover } from '../../../src/tools/offline/recover.ts'
import { cannotMount, LoopDisk, moveToOwnMounts } from '../../support/loop-disk.ts'
import { digestsOf, startMember, survivor, textOf } from './fixture.ts'

if (cannotMount === false) moveToOwnMounts(import.meta.filename)

const program = path.join(import.meta.dirname, '../../../src/main.ts')

t.test('there is no room for the new log', { skip: cannotMount }, async (t) => {
  const disk = new LoopDisk({ megabytes: 128 })
  t.teardown(() => disk.remove())
  const directory = path.join(disk.directory, 'state')
  mkdirSync(directory)
  const cluster = await survivor(directory)
  const before = digestsOf(directory)
  const makeRoom = disk.fill()
  // A process of its own, as people have it: what it has open goes with it.
  const { status, stderr } = spawnSync(
    process.execPath,
    [program, 'recover', '--state-dir', directory, '--yes'],
    { encoding: 'utf8' },
  )
  t.match({ status, stderr }, { status: 1, stderr: /JGD_DISK_FULL[^]*Make room/ })
  t.same(digestsOf(directory), before, 'nothing has changed')
  t.same(
    readdirSync(directory).filter((name) => name.startsWith('wal')),
    ['wal'],
    'and nothing is left behind',
  )
  makeRoom()
  await recover(directory)
  const { store, stop } = await startMember(directory, cluster)
  t.equal(await textOf(store, 'app/b'), 'perhaps')
  await stop()
})
