/** Which writes do not go to another thread. */
import t from 'tap'
import { WritePace } from '../../src/platform/write-pace.ts'

const small = 400

t.test('a file that was never synced is not known to be quick', async (t) => {
  t.notOk(new WritePace().mayWriteAtOnce(small, 0))
})

t.test('after a quick sync small writes are done at once, large ones are not', async (t) => {
  const pace = new WritePace()
  pace.syncBegins()
  pace.synced(0.3)
  t.ok(pace.mayWriteAtOnce(small, 0))
  t.notOk(pace.mayWriteAtOnce(1_000_000, 0))
})

t.test('nothing is written at once while a sync is under way, or after a slow one', async (t) => {
  const pace = new WritePace()
  pace.synced(0.3)
  pace.syncBegins()
  t.notOk(pace.mayWriteAtOnce(small, 0), 'it may be the disk that is busy')
  pace.synced(80)
  t.notOk(pace.mayWriteAtOnce(small, 0), 'it was')
  pace.syncBegins()
  pace.synced(5)
  t.ok(pace.mayWriteAtOnce(small, 0), 'and is no more')
})

t.test('who was held up once leaves it for a while', async (t) => {
  const pace = new WritePace()
  pace.synced(0.3)
  pace.wroteAtOnce(0.02, 1000)
  t.ok(pace.mayWriteAtOnce(small, 1001))
  pace.wroteAtOnce(40, 2000)
  pace.synced(0.3)
  t.notOk(pace.mayWriteAtOnce(small, 11_000))
  t.ok(pace.mayWriteAtOnce(small, 12_001))
})
