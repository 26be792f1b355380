import t from 'tap'
import type * as Tap from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { clusterId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { createFirstMember, Seat } from '../../src/node/member/seat.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { SimulatedDisk } from '../sim/disk.ts'
import { seededEntropy } from '../sim/entropy.ts'
import { sinkLog } from '../sim/quiet.ts'
import { lone } from '../support/lone-seat.ts'
import { wrappedDisk } from '../support/wrapped-disk.ts'

const cluster = clusterId('c'.repeat(32))

/** What stands between the log and the disk: a bug on the way, where the test says. */
interface Bug {
  on: 'nothing' | 'write' | 'read'
}

function spoilt(disk: Disk, bug: Bug): Disk {
  const meet = (on: Bug['on']): void => {
    if (bug.on === on) throw new TypeError('it is undefined')
  }
  const wrapped = wrappedDisk(disk, (file) => ({
    write: async (offset, bytes) => {
      meet('write')
      await file.write(offset, bytes)
    },
  }))
  return {
    ...wrapped,
    readFile: async (path) => {
      if (path.includes('segments')) meet('read')
      return disk.readFile(path)
    },
  }
}

/** A machine whose one member is the whole cluster. */
async function machine(t: Tap.Test) {
  const random = new SeededRandom(5)
  const time = new SimulatedTime(random.fork())
  const simulated = new SimulatedDisk(random.fork(), { after: (ms, fire) => time.after(ms, fire) })
  const bug: Bug = { on: 'nothing' }
  const disk = spoilt(simulated.mount(), bug)
  const done = <T>(promise: Promise<T>): Promise<T> => time.runUntilSettled(promise, 10_000)
  await done(createFirstMember(disk, cluster, '1'.repeat(32), []))
  let ended = 0
  const newSeat = (): Seat =>
    new Seat({
      clusterId: cluster,
      disk,
      clock: new SimulatedClock(time, random.fork()),
      entropy: seededEntropy(random.fork()),
      log: sinkLog(() => undefined),
      ...lone,
      onFatal: () => {
        ended += 1
      },
      onStopped: () => t.fail('another process may do better'),
    })
  const put = async (seat: Seat, key: string): Promise<void> => {
    const operation = { kind: 'put', key, value: utf8('x') } as const
    await done(seat.store!.transact({ compare: [], then: [operation], otherwise: [] }))
  }
  const keys = async (seat: Seat): Promise<string[]> => {
    const range = seat.store!.range({ key: 'a', rangeEnd: 'z' }, 'linearizable')
    return (await done(range)).items.map(({ key }) => key)
  }
  return { time, disk, bug, done, newSeat, put, keys, ended: () => ended }
}

/**
 * Every error in the writing of the log, our own mistakes too, was taken for a disk that fails: the
 * member set its log aside. A mistake that one binary makes, every member makes: the cluster's state
 * would have gone with the last of the logs.
 */
t.test('a mistake in the writing of the log leaves it where it is', async (t) => {
  const { time, disk, bug, done, newSeat, put, keys, ended } = await machine(t)
  const seat = newSeat()
  await done(seat.open())
  await time.runFor(1000)
  await put(seat, 'kept')
  bug.on = 'write'
  await t.rejects(put(seat, 'lost'))
  await time.runFor(1000)
  t.equal(ended(), 1, 'the process ends, and another begins')
  t.equal(seat.store, undefined)
  t.same(await done(disk.list('')), ['wal'])

  bug.on = 'nothing'
  const again = newSeat()
  await done(again.open())
  await time.runFor(1000)
  t.same(await keys(again), ['kept'], 'a binary without the mistake finds it')
})

t.test('so does one in the reading of it', async (t) => {
  const { time, disk, bug, done, newSeat, put, keys } = await machine(t)
  const seat = newSeat()
  await done(seat.open())
  await time.runFor(1000)
  await put(seat, 'kept')
  await done(seat.close())
  bug.on = 'read'
  const without = newSeat()
  await done(without.open())
  t.equal(without.store, undefined)
  t.same(await done(disk.list('')), ['wal'])

  bug.on = 'nothing'
  await time.runFor(6000)
  t.same(await keys(without), ['kept'], 'it is tried again, by the same process')
})
