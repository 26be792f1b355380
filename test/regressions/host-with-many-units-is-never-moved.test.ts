import t from 'tap'
import { machines, units } from '../../src/core/records/keyspace.ts'
import { worldInvariants } from '../sim/invariants/all.ts'
import { soonMs, write } from '../sim/membership.ts'
import { World } from '../sim/world.ts'

const unitCount = 280
const file = `[Service]
ExecStart=/usr/bin/docker run --pull never --init busybox:jangada

[X-Fleet]
MachineMetadata=disk=ssd
`

/**
 * A move costs four operations of a transaction's 512, and 160 decisions were put into each: a plan
 * that moved more than 128 units was refused, made again, and refused, for ever.
 */
t.test('all units of a host that is lost run elsewhere, however many', async (t) => {
  const shape = { machines: 3, voters: 3, memberSizes: {} } as const
  const world = new World({ seed: 1, shape, invariants: worldInvariants })
  t.ok(await world.begin(), 'the cluster is up')
  const record = { v: 1, file, hash: '0'.repeat(40), desired: 'launched', submittedMs: 0 } as const
  const names = Array.from({ length: unitCount }, (_, n) => `app-${n}.service`)
  await write(world, ...names.map((name) => units.put({ ...record, name }, name)))
  const placedOn = (id: string): number =>
    world.committed.placements.values.filter(({ machine }) => machine === id).length
  const hosts = world.machines.filter(({ id }) => hasSsd(world, id))
  t.equal(hosts.length, 2)
  const total = (): number => hosts.reduce((sum, { id }) => sum + placedOn(id), 0)
  t.ok(await world.runUntil(() => total() === unitCount, soonMs), 'all are placed')
  const lost = hosts.find((machine) => machine !== world.leader?.machine)!
  const other = hosts.find((machine) => machine !== lost)!
  t.ok(placedOn(lost.id) > 128, `${placedOn(lost.id)} units on ${lost.name}`)
  lost.losePower()
  t.ok(await world.runUntil(() => placedOn(other.id) === unitCount, soonMs), 'all are moved')
})

function hasSsd({ committed }: World, id: string): boolean {
  return committed.machines.values.some((one) => one.id === id && one.metadata['disk'] === 'ssd')
}

const elsewhere = file.replace('disk=ssd', 'disk=tape')

/** A place has three compares, of which a transaction may have twice as many as operations. */
t.test('all units that a machine can run at last are placed, however many', async (t) => {
  const shape = { machines: 3, voters: 3, memberSizes: {} } as const
  const world = new World({ seed: 1, shape, invariants: worldInvariants })
  t.ok(await world.begin(), 'the cluster is up')
  for (let from = 0; from < 600; from += 300) {
    const names = Array.from({ length: 300 }, (_, n) => `app-${from + n}.service`)
    const record = { v: 1, file: elsewhere, hash: '0'.repeat(40), desired: 'loaded' } as const
    const put = (name: string) => units.put({ ...record, name, submittedMs: 0 }, name)
    await write(world, ...names.map(put))
  }
  const placed = (): number => world.committed.placements.values.length
  await world.run(1000)
  t.equal(placed(), 0, 'no machine has what they ask for')
  const [machine] = world.committed.machines.values
  await write(world, machines.put({ ...machine!, metadata: { disk: 'tape' } }, machine!.id))
  t.ok(await world.runUntil(() => placed() === 600, soonMs), 'all at once')
})
