import t from 'tap'
import { addressStillHere } from '../../src/daemon/machine.ts'
import { rememberedAddress, rememberedName } from '../../src/daemon/membership.ts'
import { directoryDisk } from '../../src/platform/disk.ts'
import { newCluster } from '../tools/offline/fixture.ts'

t.test('what was said once need not be said at every start', async (t) => {
  const disk = directoryDisk(t.testdir())
  t.equal(await rememberedName(disk), undefined)
  const directory = t.testdir({ state: {} })
  await newCluster(directory)
  const made = directoryDisk(directory)
  t.equal(await rememberedName(made), 'n1')
  t.equal(await rememberedAddress(made), '127.0.0.1')
})

t.test('an address that no link has any more is not used', (t) => {
  t.equal(addressStillHere('192.0.2.77'), undefined)
  t.equal(addressStillHere(undefined), undefined)
  t.end()
})
