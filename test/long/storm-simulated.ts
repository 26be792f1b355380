/**
 * The storm of storm.ts on whole simulated nodes, with every invariant watching: two hundred units on five
 * machines, and every half minute one is lost for a quarter of one. In the end everything runs once.
 *
 *     npm run test:long -- storm-simulated [--units 200] [--minutes 10] [--seed N]
 */
import { parseArgs } from 'node:util'
import { SeededRandom } from '../../src/base/random.ts'
import { clusterOf, told } from '../sim/membership.ts'
import type { SimulatedMachine } from '../sim/machine.ts'
import { placesOf, running, start, unitFile, unitsOn } from '../sim/people.ts'
import type { World } from '../sim/world.ts'

const { values: given } = parseArgs({
  options: {
    units: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
})
const random = new SeededRandom(Number(given.seed))

const lossEveryMs = 30_000
const awayMs = 15_000
const settleMsMax = 300_000
const quietMs = 20_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const seconds = (ms: number): string => (ms / 1000).toFixed(1)

/** How long it took until each of `units` ran once. */
async function allOnce(world: World, units: readonly string[]): Promise<number> {
  const startedMs = world.time.nowMs
  let lookedMs = -Infinity
  const isSo = (): boolean => {
    // It is asked after each event, and a look is long.
    if (world.time.nowMs < lookedMs + 100) return false
    lookedMs = world.time.nowMs
    return units.every((unit) => placesOf(world, unit).length === 1)
  }
  if (!(await world.runUntil(isSo, settleMsMax))) throw new Error('not everything runs once')
  return world.time.nowMs - startedMs
}

/** One of the three with most units, so that something is lost each time. */
async function loseOne(world: World): Promise<number> {
  const byLoad = (a: SimulatedMachine, b: SimulatedMachine): number =>
    b.engine.running.length - a.engine.running.length
  const victim = random.pick(world.machines.toSorted(byLoad).slice(0, 3))
  const isPower = random.chance(0.5)
  const units = unitsOn(victim).length
  const others = world.machines.filter((each) => each !== victim).map(({ host }) => host)
  if (isPower) victim.losePower()
  else world.network.partition([victim.host], others)
  await world.run(awayMs)
  if (isPower) victim.gainPower()
  else world.network.healAll()
  say(`${victim.name}, ${isPower ? 'power' : 'cable'}: ${units} units`)
  return units
}

const world = await clusterOf(5)
const units = Array.from({ length: Number(given.units) }, (_, at) => `job-${at + 1}.service`)
for (const name of units) await start(world, name, unitFile(''))
say(`${units.length} units run after ${seconds(await allOnce(world, units))} s`)
let lost = 0
let losses = 0
const endMs = world.time.nowMs + Number(given.minutes) * 60_000
for (let nextMs = world.time.nowMs; nextMs < endMs; nextMs += lossEveryMs) {
  await world.run(Math.max(0, nextMs - world.time.nowMs))
  lost += await loseOne(world)
  losses += 1
}
const settledMs = await allOnce(world, units)
const before = running(world.machines)
await world.run(quietMs)
if (running(world.machines).join() !== before.join())
  throw new Error('something moved in the quiet')
const stuck = await told(world, 'placement.stuck')
if (stuck.length > 0) throw new Error(stuck.join('\n'))
say(
  `seed ${given.seed}: ${losses} machines lost with ${lost} units; once each ${seconds(settledMs)} s after ` +
    `the last came back; nothing moved in ${quietMs / 1000} s of quiet; no invariant was broken`,
)
