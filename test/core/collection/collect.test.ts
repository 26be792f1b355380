import t from 'tap'
import {
  collect,
  type CollectionInput,
  type PresentImage,
  removalsAtOnce,
  unusedMsMin,
} from '../../../src/core/collection/collect.ts'

const nowMs = 10 * unusedMsMin
const bounds = { ceilingPercent: 85, floorPercent: 75 }

const present = (id: string, more: Partial<PresentImage> = {}): PresentImage => {
  return { id, names: [`app:${id}`], sizeBytes: 6, isInUse: false, ...more }
}
const pulled = (id: string, unusedMs: number, names = [`app:${id}`]) => {
  return { id, names, lastUsedMs: nowMs - unusedMs }
}

/** A disk of 100 bytes with three images on it, `a` unused for longest. */
const machine = (usedBytes: number, more: Partial<CollectionInput> = {}): CollectionInput => ({
  nowMs,
  disk: { totalBytes: 100, freeBytes: 100 - usedBytes },
  bounds,
  isCollecting: false,
  present: [present('c'), present('a'), present('b')],
  pulled: [pulled('b', 4 * unusedMsMin), pulled('a', 5 * unusedMsMin), pulled('c', unusedMsMin)],
  needed: new Set(),
  refused: new Set(),
  ...more,
})

const goes = (input: CollectionInput): readonly string[] | string => {
  const decision = collect(input)
  return decision.kind === 'remove' ? decision.images.map(({ id }) => id) : decision.kind
}

t.test(
  'nothing goes up to the ceiling; beyond it the longest unused, down to the floor',
  async (t) => {
    t.same(goes(machine(85)), 'enough-room')
    t.same(goes(machine(86)), ['a', 'b'], 'eleven to come free')
    t.same(goes(machine(92)), ['a', 'b', 'c'])
    t.same(goes(machine(100)), ['a', 'b', 'c'], 'all, and it is not enough')
  },
)

t.test('what has begun goes on to the floor', async (t) => {
  t.same(goes(machine(80)), 'enough-room')
  t.same(goes(machine(80, { isCollecting: true })), ['a'])
  t.same(goes(machine(75, { isCollecting: true })), 'enough-room')
})

t.test('an image that somebody has or wants stays', async (t) => {
  const without = (more: Partial<CollectionInput>) => goes(machine(99, more))
  const inUse = [present('a', { isInUse: true }), present('b'), present('c')]
  t.same(without({ present: inUse }), ['b', 'c'], 'a container has it')
  t.same(without({ needed: new Set(['a', 'c']) }), ['b'], 'a unit placed here names it')
  t.same(without({ refused: new Set(['a']) }), ['b', 'c'], 'the engine would not')
  const named = [present('a', { names: ['app:a', 'mine:1'] }), present('b'), present('c')]
  t.same(without({ present: named }), ['b', 'c'], 'it has a name of somebody else')
  const nameless = [present('a', { names: [] }), present('b'), present('c')]
  t.same(without({ present: nameless }), ['a', 'b', 'c'], 'its name went to a newer one')
})

t.test('what no unit had pulled is nobody’s but theirs who put it there', async (t) => {
  t.same(goes(machine(99, { pulled: [pulled('b', unusedMsMin)] })), ['b'])
  t.same(goes(machine(99, { pulled: [] })), 'nothing-to-remove')
})

t.test('an image is not removed between its pull and its container', async (t) => {
  const young = [pulled('a', unusedMsMin - 1), pulled('b', 0), pulled('c', -5)]
  t.same(goes(machine(99, { pulled: young })), 'nothing-yet')
})

t.test('a step is bounded', async (t) => {
  const ids = Array.from({ length: 100 }, (_, at) => `${at}`)
  const many = {
    present: ids.map((id) => present(id, { sizeBytes: 0 })),
    pulled: ids.map((id) => pulled(id, unusedMsMin)),
  }
  t.equal(goes(machine(99, many)).length, removalsAtOnce)
})
