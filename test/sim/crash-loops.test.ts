/** Units that fail again and again: elsewhere, after longer and longer pauses, and parked in the end. */
import t from 'tap'
import { crashes, units } from '../../src/core/records/keyspace.ts'
import { placementsUntilParked } from '../../src/core/scheduler/crash-loop.ts'
import { clusterOf, soonMs, told, write } from './membership.ts'
import type { World } from './world.ts'

const hourMs = 3_600_000

async function launch(
  world: World,
  name: string,
  program: string,
  rules = '',
  image = 'busybox:jangada',
): Promise<void> {
  const file = `[Unit]
StartLimitBurst=2

[Service]
Restart=always
TimeoutStopSec=2
ExecStart=/usr/bin/docker run --pull never ${image} ${program}
${rules}`
  const record = { v: 1, name, file, hash: name, desired: 'launched', submittedMs: 0 } as const
  await write(world, units.put(record, name))
}

const crashOf = (world: World, unit: string) => world.committed.crashes.items.get(crashes.key(unit))
const placesOf = (world: World, unit: string): string[] =>
  world.committed.placements.values.flatMap((each) => (each.unit === unit ? [each.machine] : []))

t.test('one that fails everywhere is tried on every machine, and then parked', async (t) => {
  const world = await clusterOf(5)
  await launch(world, 'bad.service', `sh -c "sleep 1;exit 3"`)
  await launch(world, 'good.service', 'sleep 100000')
  t.ok(await world.runUntil(() => placesOf(world, 'good.service').length === 1, soonMs))
  const isParked = (): boolean => crashOf(world, 'bad.service')?.value.parked === true
  t.ok(await world.runUntil(isParked, hourMs), 'it is parked')
  const { failures, message } = crashOf(world, 'bad.service')!.value
  t.equal(message, 'exit code 3', 'when it is tried again is the cluster’s to say')
  t.equal(failures.length, placementsUntilParked)
  const first = failures.slice(0, 5).map(({ machine }) => machine)
  t.equal(new Set(first).size, 5, 'no machine a second time before each had its turn')
  const pauses = failures.map(({ atMs }, at) => atMs - (failures[at - 1]?.atMs ?? atMs)).slice(1)
  for (const [at, pause] of pauses.entries()) {
    t.ok(pause >= Math.min(300_000, 5000 * 2 ** at), `pause ${at + 1}: ${pause} ms`)
  }
  t.equal((await told(world, 'unit.crash-loop')).length, placementsUntilParked - 1)
  t.match(await told(world, 'unit.parked'), [/^bad\.service fails again and again .*parked/])
  await world.run(320_000)
  t.same(placesOf(world, 'bad.service'), [], 'nobody tries it again')
  t.equal(placesOf(world, 'good.service').length, 1)

  // What `jangada start` does to one that is parked.
  await write(world, { kind: 'delete', key: crashes.key('bad.service') })
  const isBack = (): boolean => placesOf(world, 'bad.service').length === 1
  t.ok(await world.runUntil(isBack, soonMs), 'until people say so')
})

t.test('one that is bound to a machine comes back there', async (t) => {
  const world = await clusterOf(5)
  const { id } = world.machines[0]!
  await launch(world, 'bad.service', 'false', `\n[X-Fleet]\nMachineID=${id}\n`)
  const hasFailed = (): boolean => (crashOf(world, 'bad.service')?.value.failures.length ?? 0) > 1
  t.ok(await world.runUntil(hasFailed, soonMs))
  const isBack = (): boolean => placesOf(world, 'bad.service').length === 1
  t.ok(await world.runUntil(isBack, 2 * soonMs))
  t.same(placesOf(world, 'bad.service'), [id])
})

t.test('one whose image is not there is tried elsewhere', async (t) => {
  const world = await clusterOf(5)
  await launch(world, 'late.service', 'true', '', 'late:1')
  const triedOn = (): string[] =>
    crashOf(world, 'late.service')?.value.failures.map(({ machine }) => machine) ?? []
  t.ok(await world.runUntil(() => triedOn().length === 3, soonMs * 3))
  t.equal(new Set(triedOn()).size, 3)
})

t.test('one that others follow stays with them: they are healthy', async (t) => {
  const world = await clusterOf(5)
  await launch(world, 'bad.service', `sh -c "sleep 1;exit 3"`)
  await launch(world, 'follower.service', 'sleep 100000', '\n[X-Fleet]\nMachineOf=bad.service\n')
  t.ok(await world.runUntil(() => placesOf(world, 'follower.service').length === 1, soonMs))
  const before = placesOf(world, 'follower.service')
  await world.run(120_000)
  t.same(placesOf(world, 'follower.service'), before)
  t.same(placesOf(world, 'bad.service'), before)
  t.same(await told(world, 'unit.crash-loop'), [])
})
