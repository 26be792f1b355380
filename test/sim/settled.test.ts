/** A cluster in which nothing happens, and then one thing: who is woken by it, and who is not. */
import t from 'tap'
import { readLabels } from '../../src/core/reconcile/labels.ts'
import { keyOf } from './committed.ts'
import { clusterOf } from './membership.ts'
import type { SimulatedMachine } from './machine.ts'
import { destroy, placesOf, runOnce, setDesired, start, told, unitFile, unitsOn } from './people.ts'
import type { World } from './world.ts'

/** Until the last of a change has been told, and told again. */
const quietMs = 40_000

/** What an agent did beside its list of every ten seconds, by what made it; of nothing, nothing. */
function doneBy({ counters }: SimulatedMachine): Map<string, number> {
  const looks = counters.of('jangada_agent_looks_total')
  const calls = new Map(counters.of('jangada_engine_calls_total'))
  const byClock = looks.get('clock') ?? 0
  calls.set('list', (calls.get('list') ?? 0) - byClock)
  return new Map([...[...looks].filter(([by]) => by !== 'clock'), ...calls])
}

/** Of each machine that did anything because of `change`, what it did. */
async function wokenBy(
  world: World,
  change: () => Promise<unknown>,
): Promise<Map<string, Map<string, number>>> {
  const before = new Map(world.machines.map((machine) => [machine, doneBy(machine)]))
  await change()
  await world.run(quietMs)
  const woken = new Map<string, Map<string, number>>()
  for (const machine of world.machines) {
    const more = [...doneBy(machine)].flatMap(([what, count]): [string, number][] => {
      const grown = count - (before.get(machine)?.get(what) ?? 0)
      return grown === 0 ? [] : [[what, grown]]
    })
    if (more.length > 0) woken.set(machine.name, new Map(more))
  }
  return woken
}

const names = Array.from({ length: 20 }, (_, at) => `job-${at}.service`)
const alone = 'alone.service'
const peer = 'peer.service'

async function settled(): Promise<World> {
  const world = await clusterOf(5)
  for (const name of names) await start(world, name, unitFile(''))
  await start(world, alone, unitFile('Fencing=stop'))
  await start(world, peer, unitFile('MachineOf=job-0.service'))
  await runOnce(world, ...names, alone, peer)
  await world.run(quietMs)
  return world
}

t.test('nothing happens: nobody is woken, and nothing is written', async (t) => {
  const world = await settled()
  const written: string[] = []
  world.committed.onRevision(({ events }) => {
    for (const event of events) written.push(keyOf(event))
  })
  t.same(await wokenBy(world, () => world.run(quietMs)), new Map())
  t.same(written, [], 'agents tell all again, and the leader knows it')
})

t.test('a change to one unit wakes the one agent that has it', async (t) => {
  const world = await settled()
  const unit = 'job-7.service'
  const [place] = placesOf(world, unit)
  const machineOf = (name: string | undefined) => world.machines.find((one) => one.name === name)!
  const replaced = {
    file: unitFile('', { flags: '--env A=B' }),
    desired: 'launched',
    replace: true,
  }
  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    'its content': () => told(world, 'PUT', `/v1/units/${unit}`, replaced),
    stopped: () => setDesired(world, unit, 'inactive'),
    loaded: () => setDesired(world, unit, 'loaded'),
    launched: () => setDesired(world, unit, 'launched'),
    'its container dies': async () => {
      const { engine } = machineOf(placesOf(world, unit)[0])
      const found = engine.running.find(({ labels }) => readLabels(labels)?.unit === unit)
      engine.killContainer(found!.id)
    },
    destroyed: () => destroy(world, unit),
  }
  t.ok(unitsOn(machineOf(place)).length > 1, 'others are there too')
  for (const [what, change] of Object.entries(changes)) {
    const [before] = placesOf(world, unit)
    const woken = await wokenBy(world, change)
    const [after] = placesOf(world, unit)
    t.equal(woken.size, 1, `${what}: ${JSON.stringify([...woken].map(([m, w]) => [m, [...w]]))}`)
    const [agent] = woken.keys()
    if (before !== undefined || after !== undefined) t.equal(agent, after ?? before, what)
  }
})

t.test(
  'a unit that must never run twice, and one that follows another, wake no others',
  async (t) => {
    const world = await settled()
    for (const unit of [alone, peer]) {
      const [place] = placesOf(world, unit)
      const stopped = await wokenBy(world, () => setDesired(world, unit, 'inactive'))
      t.same([...stopped.keys()], [place])
      const started = await wokenBy(world, () => setDesired(world, unit, 'launched'))
      t.same([...started.keys()], placesOf(world, unit))
    }
  },
)
