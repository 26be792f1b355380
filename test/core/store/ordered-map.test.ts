import t from 'tap'
import fc from 'fast-check'
import { SeededRandom } from '../../../src/base/random.ts'
import { OrderedMap } from '../../../src/core/store/ordered-map.ts'

const contents = <V>(map: OrderedMap<V>, from = '', end?: string): [string, V][] => {
  const found: [string, V][] = []
  map.scan(from, end, (key, value) => found.push([key, value]) > 0)
  return found
}

const sorted = <V>(model: Map<string, V>): [string, V][] =>
  [...model].toSorted(([a], [b]) => (a < b ? -1 : 1))

t.test('it does what a Map does, in order', async () => {
  const key = fc.string({ minLength: 0, maxLength: 3, unit: fc.constantFrom('a', 'b', 'é', '𝒳') })
  const step = fc.record({ key, remove: fc.boolean(), value: fc.nat() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), key, key, (steps, from, end) => {
      const map = new OrderedMap<number>()
      const model = new Map<string, number>()
      for (const { key: at, remove, value } of steps) {
        if (remove) {
          if (map.delete(at) !== model.delete(at)) return false
        } else {
          map.set(at, value)
          model.set(at, value)
        }
        if (map.get(at) !== model.get(at) || map.size !== model.size) return false
      }
      const expected = sorted(model).filter(([at]) => at >= from && at < end)
      return JSON.stringify(contents(map, from, end)) === JSON.stringify(expected)
    }),
  )
})

t.test('chunks split and merge: fifty thousand keys in any order, then almost none', async (t) => {
  const random = new SeededRandom(4)
  const names = random.shuffle(Array.from({ length: 50_000 }, (_, i) => `k${i}`))
  const map = new OrderedMap<number>()
  for (const [at, name] of names.entries()) map.set(name, at)
  const model = new Map(names.map((name, at) => [name, at]))
  t.same(contents(map), sorted(model))
  for (const name of random.shuffle(names).slice(10)) {
    map.delete(name)
    model.delete(name)
  }
  t.same(contents(map), sorted(model))
  t.equal(map.size, 10)
})

t.test('keys that come in order', async (t) => {
  const map = new OrderedMap<number>()
  const name = (at: number): string => String(at).padStart(6, '0')
  for (let at = 0; at < 3000; at += 1) map.set(name(at), at)
  t.equal(map.get(name(2999)), 2999)
  t.same(
    contents(map, name(510), name(514)).map(([, value]) => value),
    [510, 511, 512, 513],
  )
  const seen: string[] = []
  map.scan(name(5), undefined, (key) => seen.push(key) < 2)
  t.same(seen, [name(5), name(6)], 'the visitor ends it')
})
