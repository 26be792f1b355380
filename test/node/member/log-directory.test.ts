/** Logs that are set aside: which of them stay. */
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { setLogAside } from '../../../src/node/member/log-directory.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { sinkLog } from '../../sim/quiet.ts'
import { newDisk } from '../wal/fixture.ts'

const quiet = sinkLog(() => undefined)

/** A log whose one file says which it is. */
async function makeLog(disk: Disk, what: string): Promise<void> {
  await disk.makeDirectory('wal')
  const file = await disk.open('wal/what', { create: true })
  await file.write(0, utf8(what))
  await file.sync()
  await file.close()
}

/** What the logs set aside say, by their names. */
async function aside(disk: Disk): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const name of await disk.list('')) {
    if (!name.startsWith('wal.aside-')) continue
    all[name] = new TextDecoder().decode(await disk.readFile(`${name}/what`))
  }
  return all
}

async function setAsideAt(disk: Disk, wallMs: number, what: string): Promise<void> {
  await makeLog(disk, what)
  await setLogAside(disk, wallMs, quiet)
}

t.test('the last two stay', async (t) => {
  const disk = newDisk().mount()
  const all = { first: 1000.5, second: 2000, third: 3000 }
  for (const [what, wallMs] of Object.entries(all)) await setAsideAt(disk, wallMs, what)
  t.same(await aside(disk), { 'wal.aside-2000': 'second', 'wal.aside-3000': 'third' })
  t.notOk(await disk.exists('wal'))
})

/** A machine without a battery begins in 1970; its newest log was the one that went. */
t.test('a clock that is behind does not cost the log just set aside', async (t) => {
  const disk = newDisk().mount()
  await setAsideAt(disk, 5000, 'first')
  await setAsideAt(disk, 6000, 'second')
  await setAsideAt(disk, 30, 'third')
  t.same(await aside(disk), { 'wal.aside-6000': 'second', 'wal.aside-6001': 'third' })
  await setAsideAt(disk, 6001, 'fourth')
  t.same(await aside(disk), { 'wal.aside-6001': 'third', 'wal.aside-6002': 'fourth' })
})

t.test('their age is a number, and other names are left alone', async (t) => {
  const disk = newDisk().mount()
  await setAsideAt(disk, 900, 'first')
  await disk.rename('wal.aside-900', 'wal.aside-for-the-vendor')
  await setAsideAt(disk, 999, 'second')
  await setAsideAt(disk, 1000, 'third')
  await setAsideAt(disk, 1001, 'fourth')
  t.same(await aside(disk), {
    'wal.aside-1000': 'third',
    'wal.aside-1001': 'fourth',
    'wal.aside-for-the-vendor': 'first',
  })
})
