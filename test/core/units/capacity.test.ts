import t from 'tap'
import { capacityOf, refuseCapacity } from '../../../src/core/units/capacity.ts'

const gib = 2 ** 30
const capacity = (metadata: Record<string, string>) =>
  capacityOf({ cpus: 8, memoryBytes: 16 * gib, metadata })

t.test('labels say how much of a machine may be reserved', async (t) => {
  t.same(capacity({ disk: 'ssd' }), { memoryBytes: 16 * gib, nanoCpus: 8e9 })
  const less = capacity({ 'capacity.memory': '12g', 'capacity.cpus': '6.5' })
  t.same(less, { memoryBytes: 12 * gib, nanoCpus: 6.5e9 })
  const more = capacity({ 'capacity.memory': '150%', 'capacity.cpus': '400%' })
  t.same(
    more,
    { memoryBytes: 24 * gib, nanoCpus: 32e9 },
    'more than there is, since somebody asked',
  )
  t.same(capacity({ 'capacity.memory': '0', 'capacity.cpus': '0%' }), {
    memoryBytes: 0,
    nanoCpus: 0,
  })
})

t.test('a label that cannot be read is refused, and counts as none', async (t) => {
  for (const value of ['', 'much', '-1g', '99999%', '1e3%', '%']) {
    t.match(refuseCapacity('capacity.memory', value), /write a size, such as 48g/, value)
    t.equal(capacity({ 'capacity.memory': value }).memoryBytes, 16 * gib)
  }
  t.match(refuseCapacity('capacity.cpus', 'x'), /write a number of processors/)
  t.equal(refuseCapacity('capacity.cpus', '12.5'), undefined)
  t.equal(refuseCapacity('disk', 'much'), undefined)
})
