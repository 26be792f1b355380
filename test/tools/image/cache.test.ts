import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { StepCache } from '../../../src/tools/image/cache.ts'

t.test('a step runs once for the same inputs, and only a whole result counts', async (t) => {
  const directory = t.testdir()
  let nowMs = 1_000_000
  const clock = { monotonicMs: () => nowMs, wallMs: () => (nowMs += 1000) }
  const reused: boolean[] = []
  const cache = new StepCache(directory, clock, (progress) => {
    if (progress.kind === 'finished') reused.push(progress.reused)
  })
  const write = (text: string) => async (target: string) =>
    writeFileSync(path.join(target, 'result'), text)
  const run = (inputs: unknown, text: string) => cache.step('root', 'testing', inputs, write(text))

  const first = await run({ a: 1 }, 'one')
  const again = await run({ a: 1 }, 'never written')
  t.equal(again.directory, first.directory)
  t.equal(readFileSync(path.join(first.directory, 'result'), 'utf8'), 'one')
  const second = await run({ a: 2 }, 'two')
  t.not(second.key, first.key)
  t.same(reused, [false, true, false])

  const broken = cache.step('root', 'testing', { a: 3 }, async (target) => {
    await write('half')(target)
    throw new Error('the power went')
  })
  await t.rejects(broken, { message: 'the power went' })
  const third = await run({ a: 3 }, 'three')
  t.equal(readFileSync(path.join(third.directory, 'result'), 'utf8'), 'three')

  const partials = (): string[] => readdirSync(directory).filter((name) => /partial/.test(name))
  t.equal(partials().length, 1, 'the half result is left, for its build may still run')
  nowMs = Date.now() + 7 * 3600_000
  await run({ a: 3 }, 'never written')
  t.same(partials(), [], 'until it is hours old')

  const kept = [second, third].map((step) => path.basename(step.directory)).toSorted()
  t.same(readdirSync(directory).toSorted(), kept, 'the one used least recently made room')
})
