import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { stateMachineSafety } from './invariants/state-machine-safety.ts'
import { watches } from './invariants/watches.ts'
import { Watchers } from './watchers.ts'
import { World } from './world.ts'

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Three voters, two standbys, and one machine that watches through others. */
const shape = { machines: 6, voters: 3, memberSizes: { segmentBytes: 8192 } } as const

async function livedWorld(seed: number): Promise<WeakRef<World>> {
  const world = new World({
    seed,
    shape,
    invariants: [stateMachineSafety, (of) => watches(of, new Watchers(of))],
  })
  if (!(await world.begin())) throw new Error('the cluster did not come up')
  await world.run(1000)
  return new WeakRef(world)
}

t.test('a world that nobody looks at any more takes no memory', async (t) => {
  const worlds: WeakRef<World>[] = []
  for (let seed = 1; seed <= 4; seed += 1) worlds.push(await livedWorld(seed))
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  collectGarbage()
  // The last may still be held by the stack that has just left it.
  const held = worlds.slice(0, -1).filter((world) => world.deref() !== undefined)
  t.equal(held.length, 0, 'a run of many seeds needs the memory of one')
})
