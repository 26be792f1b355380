/** Machines whose disks fill with old images, on whole simulated nodes. */
import t from 'tap'
import type { SettingsAnswer } from '../../src/node/api/operation-answers.ts'
import type { SimulatedMachine } from './machine.ts'
import { clusterOf, soonMs, told as eventsOf } from './membership.ts'
import { destroy, placesOf, start, told, unitFile } from './people.ts'
import type { World } from './world.ts'

const mebibyte = 2 ** 20
/** Each version runs for so long. */
const versionMs = 15_000
/** Later than an image that nothing uses any more is removed. */
const laterMs = 200_000

t.setTimeout(120_000)

/** Runs one version after the other on `machine`, as an update does, each for a while. */
async function runVersions(
  world: World,
  machine: SimulatedMachine,
  from: number,
  to: number,
): Promise<void> {
  for (let version = from; version <= to; version += 1) {
    const image = `registry:5000/app:${version}`
    for (const { engine } of world.machines) engine.publish(image, 100 * mebibyte)
    await replace(world, machine, image)
    await world.run(versionMs)
  }
}

async function replace(world: World, machine: SimulatedMachine, image: string): Promise<void> {
  if (placesOf(world, 'app.service').length > 0) {
    await destroy(world, 'app.service')
    const isGone = (): boolean => placesOf(world, 'app.service').length === 0
    if (!(await world.runUntil(isGone, soonMs))) throw new Error('the old version does not end')
  }
  const file = unitFile(`MachineID=${machine.id}`, { image, command: 'sleep 100000' })
  await start(world, 'app.service', file)
  const runs = (): boolean => machine.engine.running.some((each) => each.image === image)
  if (!(await world.runUntil(runs, soonMs))) throw new Error(`${image} does not run`)
}

const versionsOn = ({ engine }: SimulatedMachine): number[] =>
  engine.store
    .list(new Set())
    .flatMap(({ names }) => names.flatMap((name) => /app:(\d+)$/.exec(name)?.[1] ?? []))
    .map(Number)
    .toSorted((a, b) => a - b)

const set = (world: World, settings: Readonly<Record<string, string>>): Promise<SettingsAnswer> =>
  told(world, 'PATCH', '/v1/settings', { settings })

t.test('a machine goes through many versions, and is never full', async (t) => {
  const world = await clusterOf(3)
  const [machine] = world.machines
  machine!.engine.store.totalBytes = 1500 * mebibyte
  // Somebody's own container, which is no business of the cluster's, with an image it had pulled.
  await runVersions(world, machine!, 1, 1)
  const image = 'registry:5000/app:1'
  const strangers = await world.time.runUntilSettled(
    machine!.engine.create('somebody', { Image: image }),
    soonMs,
  )
  // The unit that will be needed next is here and does not run yet.
  await runVersions(world, machine!, 2, 2)
  const next = unitFile(`MachineID=${machine!.id}`, { image: 'registry:5000/app:2' })
  await told(world, 'PUT', '/v1/units/next.service', { file: next, desired: 'loaded' })

  await runVersions(world, machine!, 3, 6)
  machine!.crash()
  await world.runUntil(() => machine!.process === undefined, soonMs)
  machine!.startIfStopped()
  await world.runUntil(() => machine!.process?.server !== undefined, soonMs)
  for (let version = 7; version <= 16; version += 1) {
    await runVersions(world, machine!, version, version)
    t.ok(versionsOn(machine!).length < 14, `beside version ${version} there are few others`)
    t.same(versionsOn(machine!).slice(0, 2), [1, 2], 'what somebody has or needs is there')
  }
  await world.run(laterMs)
  t.ok(versionsOn(machine!).includes(16))
  t.ok(
    machine!.engine.all.some(({ id }) => id === strangers),
    'their container was not touched',
  )
  const left = machine!.engine.all.filter(({ state }) => state !== 'running')
  t.same(left.length, 1, 'of the unit nothing is left that does not run')
  const events = await eventsOf(world, 'images.collected')
  t.ok(events.length >= 1, `${events.length} collections`)
  t.same(await eventsOf(world, 'images.no-room'), [])
})

t.test('people set the ceiling for all machines, and switch collection off', async (t) => {
  const world = await clusterOf(3)
  const [machine] = world.machines
  machine!.engine.store.totalBytes = 1000 * mebibyte
  await set(world, { 'image-collection-ceiling-percent': 'off' })
  await runVersions(world, machine!, 1, 9)
  await world.run(laterMs)
  machine!.crash()
  machine!.startIfStopped()
  await world.run(laterMs)
  t.equal(versionsOn(machine!).length, 9, 'also after its agent has started anew')
  await set(world, {
    'image-collection-ceiling-percent': '60',
    'image-collection-floor-percent': '45',
  })
  await world.run(laterMs)
  t.same(versionsOn(machine!), [6, 7, 8, 9])
  t.equal((await eventsOf(world, 'images.collected')).length, 1)
})
