/** What a spoilt sector does to a log, and that whoever opens it is never told less than was kept. */
import t from 'tap'
import { isJangadaError } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { entries, hard, indexesOf, newDisk, open, small } from '../node/wal/fixture.ts'
import { Wal } from '../../src/node/wal/wal.ts'
import { identity } from '../node/wal/fixture.ts'
import { damageOf } from './disk-damage.ts'
import type { SimulatedDisk } from './disk.ts'

const count = 40

async function diskWithLog(): Promise<SimulatedDisk> {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (let at = 1; at <= count; at += 1) {
    await wal.append({ entries: entries(at, at, 1, 300), hardState: hard(1, 7, at - 1) })
  }
  await wal.close()
  disk.losePower()
  return disk
}

t.test('the log that the damage is done to has all its entries', async (t) => {
  const { restored } = await open((await diskWithLog()).mount(), small())
  t.equal(indexesOf(restored.entries).at(-1), count)
})

for (const kind of ['corrupted', 'misdirected'] as const) {
  t.test(`a ${kind} sector is found, or harms nothing`, async (t) => {
    let refused = 0
    for (let seed = 1; seed <= 40; seed += 1) {
      const disk = await diskWithLog()
      const damage = damageOf(disk, new SeededRandom(seed), kind)
      t.ok(damage !== undefined, 'there is something to damage')
      damage?.happen()
      try {
        const { restored } = await open(disk.mount(), small())
        const all = indexesOf(restored.entries)
        t.equal(all.at(-1), count, `seed ${seed}: ${damage?.path} at ${damage?.offset}`)
      } catch (error) {
        if (!isJangadaError(error, 'JGD_WAL_DAMAGED')) throw error
        refused += 1
      }
    }
    t.ok(refused > 20, `${refused} of 40 logs are refused`)
  })
}

t.test('an empty disk has nothing to damage', async (t) => {
  t.equal(damageOf(newDisk(), new SeededRandom(1), 'corrupted'), undefined)
})
