import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { directoryDisk } from '../../src/platform/disk.ts'
import { SimulatedDisk } from '../sim/disk.ts'
import { diskContract } from './disk.ts'

t.test('a directory of the machine', (t) => {
  const parent = t.testdir()
  diskContract(t, async () => directoryDisk(await mkdtemp(path.join(parent, 'disk-'))))
})

t.test('a call that makes no sense is our mistake, and nothing the disk said', async (t) => {
  const disk = directoryDisk(t.testdir())
  const file = await disk.open('a', { create: true })
  const bytes = { length: 3 } as unknown as Uint8Array
  await t.rejects(file.write(0, bytes), { name: 'TypeError' })
  await file.close()
})

t.test('a directory in memory (tmpfs), as diskless machines have it', (t) => {
  diskContract(t, async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'jangada-disk-'))
    const disk = directoryDisk(directory)
    t.teardown(() => disk.remove(''))
    return disk
  })
})

t.test('the simulated disk', (t) => {
  diskContract(t, async () => new SimulatedDisk(new SeededRandom(1)).mount())
})
