import t from 'tap'
import { clusterId, index, memberId, term } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { createFirstMember, Seat } from '../../src/node/member/seat.ts'
import { Wal } from '../../src/node/wal/wal.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { SimulatedDisk } from '../sim/disk.ts'
import { seededEntropy } from '../sim/entropy.ts'
import { sinkLog } from '../sim/quiet.ts'
import { lone } from '../support/lone-seat.ts'

/**
 * An entry that one binary cannot apply, no member that runs it can. Each of them used to set its
 * log aside and begin anew, and with the last log the cluster was gone.
 */
t.test('a member that meets an entry it cannot apply keeps its log in place', async (t) => {
  const random = new SeededRandom(5)
  const time = new SimulatedTime(random.fork())
  const simulated = new SimulatedDisk(random.fork(), { after: (ms, fire) => time.after(ms, fire) })
  const disk = simulated.mount()
  const done = <T>(promise: Promise<T>): Promise<T> => time.runUntilSettled(promise, 5000)
  const cluster = clusterId('c'.repeat(32))
  const incarnation = '1'.repeat(32)
  await done(createFirstMember(disk, cluster, incarnation, []))
  const identity = { clusterId: cluster, memberId: memberId(1), incarnation }
  const fail = (error: Error): void => void t.fail(error.message)
  const { wal } = await done(Wal.open(disk, identity, { directory: 'wal', onFailure: fail }))
  const data = Uint8Array.of(255, 255, 255)
  const entry = { kind: 'normal', index: index(2), term: term(1), data } as const
  const hardState = { term: term(1), vote: memberId(1), commit: index(2) }
  await done(wal.append({ entries: [entry], hardState }))
  await done(wal.close())
  let stopped = 0
  const seat = new Seat({
    clusterId: cluster,
    disk,
    clock: new SimulatedClock(time, random.fork()),
    entropy: seededEntropy(random.fork()),
    log: sinkLog(() => undefined),
    ...lone,
    onFatal: (reason) => t.fail(reason),
    onStopped: () => {
      stopped += 1
    },
  })
  await done(seat.open())
  await time.runFor(1000)
  t.equal(stopped, 1, 'the member has ended')
  t.equal(seat.store, undefined, 'and the machine goes on without it')
  const names = await done(disk.list(''))
  t.same(names, ['wal'], 'a binary that understands the entry finds the log where it was')
})
