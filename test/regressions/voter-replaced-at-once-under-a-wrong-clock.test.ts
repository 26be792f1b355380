import t from 'tap'
import { worldInvariants } from '../sim/invariants/all.ts'
import { World } from '../sim/world.ts'

const hourMs = 3_600_000

/** A world of four machines: one more than votes. */
async function fourMachines(): Promise<World> {
  for (let seed = 1; ; seed += 1) {
    const world = new World({ seed, invariants: worldInvariants })
    if (world.machines.length !== 4) continue
    if (!(await world.begin())) throw new Error('the cluster did not come up')
    return world
  }
}

t.test('a lost voter keeps its place although the next leader’s clock is an hour on', async (t) => {
  const world = await fourMachines()
  const first = world.leader
  const config = first?.member.member.status().config
  const [lost, next] = (config?.voters ?? []).filter((id) => id !== first?.member.member.id)
  if (first === undefined || lost === undefined || next === undefined) throw new Error('no voters')
  for (const machine of world.machines) if (machine !== first.machine) machine.stepWall(hourMs)
  world.machineOf(lost)?.losePower()
  const isLost = (): boolean => world.committed.machines.values.some((m) => m.status === 'lost')
  t.ok(await world.runUntil(isLost, 5000), 'the machine is lost')
  first.machine.process?.core?.transferTo(next)
  const leads = (): boolean => world.leader?.member.member.id === next
  t.ok(await world.runUntil(leads, 5000), 'another leads')
  await world.run(5000)
  t.same(world.leader?.member.member.status().config.voters, config?.voters, 'and waits for it')
})
