import { createHash } from 'node:crypto'
import t from 'tap'
import { threadCompute } from '../../src/platform/compute.ts'

t.test('tasks run on their thread, and each gets its own answer', async (t) => {
  const compute = threadCompute()
  const inputs = Array.from({ length: 20 }, (_, i) => new Uint8Array(1000 * i).fill(i))
  const hashes = await Promise.all(inputs.map((input) => compute.run('sha256', input)))
  t.same(
    hashes,
    inputs.map((input) => createHash('sha256').update(input).digest('hex')),
  )
  await compute.close()
})

t.test('a task that fails rejects alone', async (t) => {
  const compute = threadCompute()
  const wrong = 7 as unknown as Uint8Array
  await t.rejects(compute.run('sha256', wrong))
  t.equal((await compute.run('sha256', new Uint8Array(0))).length, 64)
  await compute.close()
})

t.test('more tasks than may wait are refused, and closing refuses what waits', async (t) => {
  const compute = threadCompute()
  const waiting = Array.from({ length: 1024 }, () => compute.run('sha256', new Uint8Array(1)))
  await t.rejects(compute.run('sha256', new Uint8Array(1)), { code: 'JGD_OVERLOADED' })
  const outcomes = Promise.allSettled(waiting)
  await compute.close()
  await outcomes
  await t.rejects(compute.run('sha256', new Uint8Array(1)), { code: 'JGD_SHUTTING_DOWN' })
})
