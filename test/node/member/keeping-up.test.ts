import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { KeepingUp, upToDateMs } from '../../../src/node/member/keeping-up.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'

/** A member as far as it can be asked how old its copy is. */
class Reader {
  staleForMs = 0
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    []
  asked = 0

  barrier(): Promise<void> {
    this.asked += 1
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  answer(how: 'resolve' | 'reject'): void {
    for (const waiting of this.#waiting.splice(0)) waiting[how](new Error('no quorum'))
  }
}

function keepingUp(): {
  time: SimulatedTime
  seat: { own: Reader }
  subject: KeepingUp
  caughtUp: () => number
  refreshed: () => number
} {
  const time = new SimulatedTime(new SeededRandom(1))
  const seat: { own: Reader } = { own: new Reader() }
  let times = 0
  let refreshed = 0
  const subject = new KeepingUp({
    reader: () => seat.own,
    clock: new SimulatedClock(time, new SeededRandom(2)),
    signal: new AbortController().signal,
    refresh: () => {
      refreshed += 1
      return Promise.resolve()
    },
    onCaughtUp: () => (times += 1),
  })
  return { time, seat, subject, caughtUp: () => times, refreshed: () => refreshed }
}

t.test('a copy that keeps up is asked now and then, and only when it matters', async (t) => {
  const { time, seat, subject, caughtUp } = keepingUp()
  const own = seat.own
  await time.runFor(10_000)
  t.equal(own.asked, 0, 'nobody wanted to know')
  for (let n = 0; n < 5; n += 1) t.ok(subject.isUpToDate())
  t.equal(own.asked, 1)
  own.answer('resolve')
  await time.runFor(upToDateMs / 2)
  t.ok(subject.isUpToDate())
  t.equal(own.asked, 1, 'the answer is new enough')
  await time.runFor(upToDateMs)
  t.ok(subject.isUpToDate())
  t.equal(own.asked, 2)
  t.equal(caughtUp(), 0)
})

t.test('to hear a leader is not enough: who cannot read is behind until it can', async (t) => {
  const { time, seat, subject, caughtUp, refreshed } = keepingUp()
  const own = seat.own
  t.ok(subject.isUpToDate(), 'not known yet')
  await time.runFor(upToDateMs + 1)
  t.notOk(subject.isUpToDate(), 'it waits for what a read needs')
  own.answer('reject')
  await time.runFor(upToDateMs + 1)
  t.notOk(subject.isUpToDate())
  t.equal(own.asked, 2, 'it asks again by itself')
  own.answer('resolve')
  await time.runFor(1)
  t.ok(subject.isUpToDate())
  t.equal(refreshed(), 1, 'what follows the copy has followed')
  t.equal(caughtUp(), 1, 'whoever was let in meanwhile is looked at')
})

t.test('without a leader nothing here is new, and the next reader is asked anew', async (t) => {
  const { time, seat, subject, caughtUp } = keepingUp()
  seat.own.staleForMs = upToDateMs
  t.notOk(subject.isUpToDate())
  seat.own.staleForMs = 0
  t.notOk(subject.isUpToDate(), 'a leader is heard again, and nothing was read since')
  seat.own.answer('resolve')
  await time.runFor(1)
  t.ok(subject.isUpToDate())
  t.equal(caughtUp(), 1, 'whoever was let in without a leader is looked at')
  await time.runFor(upToDateMs)
  subject.isUpToDate()
  const gone = seat.own
  seat.own = new Reader()
  gone.answer('reject')
  await time.runFor(2 * upToDateMs)
  t.notOk(subject.isUpToDate(), 'that it is another one says nothing')
  t.equal(seat.own.asked, 1)
  t.equal(caughtUp(), 1)
  seat.own.answer('resolve')
  await time.runFor(1)
  t.ok(subject.isUpToDate())
  t.equal(caughtUp(), 2)
})
