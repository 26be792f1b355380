import t from 'tap'
import { type FencerOrder, FencerState, guardedMax } from '../../../src/core/liveness/fencer.ts'

const db = { id: 'db', unit: 'db.service', graceMs: 0 }
const slow = { id: 'slow', unit: 'slow.service', graceMs: 500 }
const order = (untilMs: number | undefined, guard: FencerOrder['guard'] = []): FencerOrder => ({
  untilMs,
  guard,
  drop: [],
})
const none = { terminate: [], kill: [] }

t.test(
  'nothing happens before the deadline; then what is guarded is killed, again and again',
  (t) => {
    const fencer = new FencerState()
    fencer.take(order(1000, [db, slow]), 0)
    t.equal(fencer.nextMs(0), 1000)
    t.same(fencer.act(999), none)
    t.same(fencer.act(1000), { terminate: ['slow'], kill: ['db'] })
    t.same(fencer.act(1200), { terminate: [], kill: ['db'] }, 'it may come only now')
    t.same(fencer.act(1500), { terminate: [], kill: ['db', 'slow'] })
    t.end()
  },
)

t.test('a later deadline keeps it, one that comes too late saves nothing', (t) => {
  const fencer = new FencerState()
  fencer.take(order(1000, [db]), 0)
  fencer.take(order(2000), 900)
  t.same(fencer.act(1999), none)
  fencer.take(order(9000, [db]), 2000)
  t.same(fencer.act(2001).kill, ['db'], 'it was condemned when the deadline passed')
  t.same(fencer.take(order(9000, [slow]), 2001).condemned, [
    { id: 'db', unit: 'db.service', lateMs: 0 },
  ])
  t.same(fencer.act(2002).kill, ['db'], 'and another that is guarded since is not')
  fencer.take({ ...order(undefined), drop: ['db'] }, 2003)
  t.same(fencer.act(2004), none)
  t.end()
})

t.test('an older deadline takes nothing back', (t) => {
  const fencer = new FencerState()
  fencer.take(order(2000, [db]), 0)
  fencer.take(order(1000), 10)
  t.same(fencer.act(1500), none)
  t.end()
})

t.test('a fencer that knows no deadline kills what it is to guard', (t) => {
  const fencer = new FencerState()
  t.match(fencer.take(order(undefined, [db]), 5).condemned, [{ id: 'db', lateMs: 0 }])
  t.same(fencer.act(5).kill, ['db'])
  t.end()
})

t.test('the machine stood still: it says by how much it came too late', (t) => {
  const fencer = new FencerState()
  fencer.take(order(1000, [db]), 0)
  t.match(fencer.take(order(9000), 8000).condemned, [{ id: 'db', lateMs: 7000 }])
  const suspended = new FencerState()
  suspended.take(order(1000, [db]), 0)
  suspended.stoodStill(60_000)
  t.same(suspended.act(1).kill, ['db'], 'its own clock stood still too')
  t.end()
})

t.test('it guards no more than it can, and says so', (t) => {
  const fencer = new FencerState()
  const many = Array.from({ length: guardedMax + 1 }, (_, at) => ({ ...db, id: `c${at}` }))
  t.equal(fencer.take(order(1000, many), 0).guarded, guardedMax)
  t.end()
})
