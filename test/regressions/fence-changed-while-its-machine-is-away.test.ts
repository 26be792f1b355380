/**
 * The placements of a lost machine were brought up to date with files that had changed since: what had been
 * promised of its fencer was what the new file said, and not what that machine had heard. Its unit ran
 * twice. And a unit that had become global kept its fence where it was, while a plan placed others: the
 * checker refused it, and nothing was placed any more.
 */
import t from 'tap'
import type { SimulatedMachine } from '../sim/machine.ts'
import { clusterOf, soonMs } from '../sim/membership.ts'
import { ask, followersOf, label, placesOf, runOnce, start, told, unitFile } from '../sim/people.ts'
import type { World } from '../sim/world.ts'

const unit = 'alone.service'

/** It takes its time to stop. */
const slow = (rules: string): string =>
  `[Service]\nRestart=always\nTimeoutStopSec=20\nExecStart=/usr/bin/docker run --pull never busybox:jangada\n\n[X-Fleet]\n${rules}\n`

const cut = (world: World, machine: SimulatedMachine): void => {
  const others = world.machines.flatMap((each) => (each === machine ? [] : [each.host]))
  world.network.partition([machine.host], others)
}

async function replace(world: World, away: SimulatedMachine, file: string): Promise<void> {
  const asked = world.machines.find((each) => each !== away) as SimulatedMachine
  await ask(world, asked, 'PUT', `/v1/units/${unit}`, { file, desired: 'launched', replace: true })
}

const placeOf = (world: World, name: string): SimulatedMachine =>
  world.machines.find((each) => each.name === placesOf(world, name)[0]) as SimulatedMachine

t.test('less time to stop than its machine has heard of', async (t) => {
  const world = await clusterOf(3)
  await start(world, unit, slow('Fencing=stop\nFencingGrace=20s'))
  await runOnce(world, unit)
  const away = placeOf(world, unit)
  cut(world, away)
  await world.run(4000)
  await replace(world, away, slow('Fencing=stop\nFencingGrace=0'))
  const twice = await world.runUntil(() => placesOf(world, unit).length > 1, 60_000)
  t.notOk(twice, 'nowhere else while its old copy may run')
  world.network.healAll()
  await runOnce(world, unit)
})

t.test('it was to keep, as far as its machine has heard', async (t) => {
  const world = await clusterOf(3)
  const away = followersOf(world)[0] as SimulatedMachine
  await label(world, away, { here: 'yes' })
  await start(world, unit, unitFile('MachineMetadata=here=yes'))
  await runOnce(world, unit)
  cut(world, away)
  await world.run(8000)
  await replace(world, away, unitFile('Fencing=stop'))
  const twice = await world.runUntil(() => placesOf(world, unit).length > 1, soonMs)
  t.notOk(twice, 'nowhere else while its old copy may run')
  world.network.healAll()
  await runOnce(world, unit)
})

t.test('a machine that has heard of the new file is fenced by it', async (t) => {
  const world = await clusterOf(3)
  const away = followersOf(world)[0] as SimulatedMachine
  await label(world, away, { here: 'yes' })
  await start(world, unit, unitFile('Prefer=here=yes:50'))
  await runOnce(world, unit)
  await replace(world, away, unitFile('Fencing=stop\nPrefer=here=yes:50'))
  await world.run(5000)
  await runOnce(world, unit)
  t.same(placesOf(world, unit), [away.name])
  cut(world, away)
  const elsewhere = (): boolean => placesOf(world, unit).some((name) => name !== away.name)
  t.ok(await world.runUntil(elsewhere, soonMs), 'it does not wait for that machine')
})

t.test('a unit that becomes global stops nobody else', async (t) => {
  const world = await clusterOf(3)
  await start(world, unit, unitFile('Fencing=stop'))
  await start(world, 'job.service', unitFile(''))
  await runOnce(world, unit, 'job.service')
  await told(world, 'PUT', `/v1/units/${unit}`, {
    file: unitFile('Global=true'),
    desired: 'launched',
    replace: true,
  })
  const everywhere = (): boolean => placesOf(world, unit).length === 3
  t.ok(await world.runUntil(everywhere, soonMs), 'it runs on all')
  await start(world, 'after.service', unitFile(''))
  placeOf(world, 'job.service').losePower()
  const runs = (): boolean => placesOf(world, 'after.service').length === 1
  t.ok(await world.runUntil(runs, soonMs), 'and who comes after it has a place')
})
