import t from 'tap'
import { worldInvariants } from '../sim/invariants/all.ts'
import { World } from '../sim/world.ts'

const limitMs = 30_000
const peerPort = 7382

/**
 * A leader lets a machine begin a member and adds it then. When that did not come about, or was
 * undone before anything was sent, the member waited for its own record for ever; its machine
 * read that member's empty copy, was told nothing more, and was lost for good.
 */
t.test('a member that nobody ever added gives its place up', async (t) => {
  const isClient = ({ process }: World['machines'][number]) => process?.core?.memberId === 0
  let world = new World({ seed: 1, invariants: worldInvariants })
  for (let seed = 2; !(world.machines.length > 6 && (await world.begin())); seed += 1) {
    world = new World({ seed, invariants: worldInvariants })
  }
  t.ok(await world.runUntil(() => world.machines.some(isClient), limitMs), 'not everyone votes')
  const machine = world.machines.find(isClient)!
  const leader = world.leader!
  const begin = async (): Promise<void> => {
    const { index } = await leader.member.member.proposeEmpty()
    const address = { host: machine.host, port: peerPort }
    const calls = await leader.machine.process!.core!.door.callsTo(address)
    await calls.call('member.prepare', { memberId: index }, 5000)
  }
  await world.time.runUntilSettled(begin(), limitMs)
  t.not(machine.process?.core?.memberId, 0, 'it runs a member')
  t.ok(await world.runUntil(() => isClient(machine), limitMs), 'and does no more after a while')
  const status = (): string | undefined =>
    world.committed.machines.values.find(({ id }) => id === machine.id)?.status
  t.ok(await world.runUntil(() => status() === 'ready', limitMs), 'it is ready')
})
