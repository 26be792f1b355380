/** The simulated disk's own promises: it must lose all that the port does not say is kept. */
import t from 'tap'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { SimulatedTime, settle } from './clock.ts'
import { SimulatedDisk } from './disk.ts'

const seeds = Array.from({ length: 60 }, (_, seed) => seed)

/** What `look` says after a power cut that follows `prepare`, once for each seed. */
async function outcomes(
  prepare: (disk: Disk) => Promise<void>,
  look: (disk: Disk) => Promise<string>,
): Promise<Set<string>> {
  const seen = new Set<string>()
  for (const seed of seeds) {
    const medium = new SimulatedDisk(new SeededRandom(seed))
    await prepare(medium.mount())
    medium.losePower()
    seen.add(await look(medium.mount()))
  }
  return seen
}

async function makeFile(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, { create: true })
  await file.write(0, utf8(text))
  await file.sync()
  await file.close()
}

t.test('what was synced is there after every power cut', async (t) => {
  const seen = await outcomes(
    async (disk) => {
      await makeFile(disk, 'a', 'kept')
      await disk.syncDirectory('')
    },
    async (disk) => fromUtf8(await disk.readFile('a')),
  )
  t.same([...seen], ['kept'])
})

t.test('an unsynced write is kept, lost or torn by the seed', async (t) => {
  const seen = await outcomes(
    async (disk) => {
      await makeFile(disk, 'a', '-'.repeat(1024))
      await disk.syncDirectory('')
      await (await disk.open('a', { create: false })).write(0, utf8('+'.repeat(1024)))
    },
    async (disk) => {
      const text = fromUtf8(await disk.readFile('a'))
      return `${text[0]}${text[512]}`
    },
  )
  t.same([...seen].toSorted(), ['++', '+-', '-+', '--'])
})

t.test('a name without its directory synced may be gone, though its file was synced', async (t) => {
  const seen = await outcomes(
    (disk) => makeFile(disk, 'a', 'kept'),
    async (disk) => ((await disk.exists('a')) ? fromUtf8(await disk.readFile('a')) : 'gone'),
  )
  t.same([...seen].toSorted(), ['gone', 'kept'])
})

t.test('a rename is there whole or not at all, and a file never has two names', async (t) => {
  const seen = await outcomes(
    async (disk) => {
      await makeFile(disk, 'a', 'old')
      await disk.syncDirectory('')
      await makeFile(disk, 'a.new', 'new')
      await disk.rename('a.new', 'a')
    },
    async (disk) => `${(await disk.list('')).join(' ')}: ${fromUtf8(await disk.readFile('a'))}`,
  )
  t.same([...seen].toSorted(), ['a a.new: old', 'a: new', 'a: old'])
})

t.test('syncing one directory says nothing about another', async (t) => {
  const seen = await outcomes(
    async (disk) => {
      await disk.makeDirectory('x')
      await disk.makeDirectory('y')
      await disk.syncDirectory('')
      await makeFile(disk, 'x/a', '')
      await makeFile(disk, 'y/b', '')
      await disk.syncDirectory('y')
    },
    async (disk) => `${await disk.exists('x/a')} ${await disk.exists('y/b')}`,
  )
  t.same([...seen].toSorted(), ['false true', 'true true'])
})

t.test('a killed process loses nothing that the kernel took, and hears no more', async (t) => {
  const medium = new SimulatedDisk(new SeededRandom(1))
  const dead = medium.mount()
  const file = await dead.open('a', { create: true })
  await file.write(0, utf8('taken'))
  medium.killProcess()
  let heard = false
  const hear = (): void => {
    heard = true
  }
  file.write(0, utf8('never')).then(hear, hear)
  dead.exists('a').then(hear, hear)
  await settle()
  t.notOk(heard)
  t.equal(fromUtf8(await medium.mount().readFile('a')), 'taken')
})

t.test('after a failed sync the next one succeeds and proves nothing', async (t) => {
  const seen = new Set<string>()
  for (const seed of seeds) {
    const medium = new SimulatedDisk(new SeededRandom(seed))
    const disk = medium.mount()
    await makeFile(disk, 'a', 'old')
    await disk.syncDirectory('')
    const file = await disk.open('a', { create: false })
    await file.write(0, utf8('new'))
    medium.faults.failedSync = 1
    await t.rejects(file.sync(), { name: 'DiskError', reason: 'EIO' })
    medium.faults.failedSync = 0
    t.equal(fromUtf8(await file.read(0, 3)), 'new', 'the page cache still shows it')
    await file.sync()
    medium.losePower()
    seen.add(fromUtf8(await medium.mount().readFile('a')))
    t.equal(medium.counts.failedSyncs, 1)
  }
  t.same([...seen].toSorted(), ['new', 'old'])
})

t.test(
  'a full disk refuses what does not fit, and takes more once something is removed',
  async (t) => {
    const medium = new SimulatedDisk(new SeededRandom(1), { capacityBytes: 1000 })
    const disk = medium.mount()
    await makeFile(disk, 'a', 'x'.repeat(800))
    const file = await disk.open('b', { create: true })
    await t.rejects(file.allocate(400), { name: 'DiskError', reason: 'ENOSPC' })
    t.equal(await file.size(), 200, 'it took what fitted')
    await disk.remove('a')
    await file.allocate(400)
    t.equal(await file.size(), 400)
    t.equal(medium.counts.fullDisk, 1)
  },
)

t.test(
  'calls take simulated time, and a power cut in the middle of a sync decides nothing',
  async (t) => {
    const seen = new Set<string>()
    for (const seed of seeds) {
      const random = new SeededRandom(seed)
      const time = new SimulatedTime(random)
      const after = (delayMs: number, fire: () => void): unknown => time.after(delayMs, fire)
      const medium = new SimulatedDisk(random, { after })
      const disk = medium.mount()
      await time.runUntilSettled(makeFile(disk, 'a', 'old'), 100)
      await time.runUntilSettled(disk.syncDirectory(''), 100)
      const file = await time.runUntilSettled(disk.open('a', { create: false }), 100)
      await time.runUntilSettled(file.write(0, utf8('new')), 100)
      let synced = false
      void file.sync().then(() => {
        synced = true
      })
      medium.losePower()
      await time.runFor(1000)
      t.notOk(synced, 'the dead process never hears of it')
      const content = await time.runUntilSettled(medium.mount().readFile('a'), 100)
      seen.add(fromUtf8(content))
    }
    t.same([...seen].toSorted(), ['new', 'old'])
  },
)

t.test('corruption flips one bit of what was synced', async (t) => {
  const medium = new SimulatedDisk(new SeededRandom(1))
  const disk = medium.mount()
  await makeFile(disk, 'a', 'kept')
  medium.corrupt('a', 2)
  const bytes = await disk.readFile('a')
  t.same([bytes[0], bytes[1], bytes[3]], [...utf8('ket')])
  t.not(bytes[2], utf8('p')[0])
})
