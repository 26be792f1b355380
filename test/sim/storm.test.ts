/** Many machines are lost at once: their units start elsewhere at a bounded rate, the dearest first. */
import t from 'tap'
import { clusterSettings, units } from '../../src/core/records/keyspace.ts'
import type { SimulatedMachine } from './machine.ts'
import { clusterOf, soonMs, told, votersOf, write } from './membership.ts'
import type { World } from './world.ts'

/** So slow that it goes on when the losses are a minute old. */
const perSecond = 0.1

async function launch(world: World, name: string, rules: string): Promise<void> {
  const file = `[Service]
Restart=always
ExecStart=/usr/bin/docker run --init --pull never busybox:jangada

[X-Fleet]
${rules}`
  const record = { v: 1, name, file, hash: name, desired: 'launched', submittedMs: 0 } as const
  await write(world, units.put(record, name))
}

const placeOf = (world: World, unit: string): string | undefined =>
  world.committed.placements.values.find((each) => each.unit === unit)?.machine

/** Two that do not vote, and one that does and does not lead. */
function victimsOf(world: World): SimulatedMachine[] {
  const voters = votersOf(world)
  const others = world.machines.filter((machine) => !voters.includes(machine))
  const follower = voters.find((machine) => machine !== world.leader?.machine)!
  return [...others, follower].slice(0, 3)
}

t.test('three of five machines are lost, with twenty units', async (t) => {
  const world = await clusterOf(5)
  const settings = world.committed.get(clusterSettings.key('cluster'))!
  const { value } = clusterSettings.read(settings)!
  const slow = { ...value, replacementsPerSecond: perSecond }
  await write(world, clusterSettings.put(slow, 'cluster'))
  const victims = victimsOf(world)
  const names = Array.from({ length: 20 }, (_, at) => `p${50 + ((at * 7) % 20)}.service`)
  for (const name of names) await launch(world, name, `Priority=${name.slice(1, 3)}\n`)
  t.ok(await world.runUntil(() => names.every((name) => placeOf(world, name)), soonMs))
  const ids = new Set<string>(victims.map(({ id }) => id))
  const lost = names.filter((name) => ids.has(placeOf(world, name) ?? ''))
  t.ok(lost.length >= 9, `${lost.length} of them are there`)

  const moves: { readonly name: string; readonly atMs: number }[] = []
  const from = new Map(lost.map((name) => [name, placeOf(world, name)]))
  for (const machine of victims) machine.crash()
  const look = (): boolean => {
    for (const name of lost) {
      const isNew = world.committed.placements.values.some(
        ({ unit, machine }) => unit === name && machine !== from.get(name),
      )
      if (isNew && !moves.some((move) => move.name === name)) {
        moves.push({ name, atMs: world.time.nowMs })
      }
    }
    return moves.length === lost.length
  }
  t.ok(await world.runUntil(look, 180_000), 'all start elsewhere')
  // Each machine is lost on its own, so that the first of them may not be many yet.
  const firstMs = moves[0]!.atMs
  const braked = moves.filter(({ atMs }) => atMs - firstMs > 1000)
  t.ok(braked.length >= 3, `${braked.length} of ${lost.length} had to wait`)
  for (const [at, { name, atMs }] of braked.entries()) {
    const before = braked[at - 1]
    if (before === undefined) continue
    t.ok(atMs - before.atMs >= 1000 / perSecond - 100, `${name} ${atMs - before.atMs} ms later`)
    t.ok(before.name > name, `${before.name} is dearer than ${name}`)
  }
  t.match(await told(world, 'replacements.braked'), [/3 of 5 machines .* 0\.1 a second/])
})
