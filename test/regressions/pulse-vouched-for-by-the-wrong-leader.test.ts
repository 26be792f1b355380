import t from 'tap'
import { isJangadaError } from '../../src/base/errors.ts'
import { stateMachineSafety } from '../sim/invariants/state-machine-safety.ts'
import { World } from '../sim/world.ts'

const limitMs = 15_000
const pulse = { bootId: 'b', memberId: 0, silentForMs: 0, reports: [] }

async function begun(seed: number): Promise<World> {
  const world = new World({ seed, invariants: [stateMachineSafety] })
  if (!(await world.begin())) throw new Error('the cluster did not come up')
  // Until every voter knows that all of them vote.
  await world.run(1000)
  return world
}

/**
 * The quorum that a pulse waits for was found through the next leader, and the deposed one
 * answered "ok" for a term that was over, from records that it no longer followed.
 */
t.test('a deposed leader acknowledges no pulse, even when a quorum answers again', async (t) => {
  const world = await begun(4)
  const old = world.leader!.machine
  const others = world.machines.filter((machine) => machine !== old)
  world.network.partition(
    [old.host],
    others.map(({ host }) => host),
  )
  const answer = old.process!.core!.relay.hear(others[0]!.id, pulse).then(
    ({ verdict }) => verdict,
    (error: unknown) => isJangadaError(error, 'JGD_NOT_LEADER') && 'not the leader',
  )
  const isOther = (): boolean => world.leader !== undefined && world.leader.machine !== old
  t.ok(await world.runUntil(isOther, limitMs), 'another leads')
  world.network.healAll()
  t.equal(await world.time.runUntilSettled(answer, limitMs), 'not the leader')
})

/** One machine's report that could be no key took every pulse of its frame along. */
t.test('a name that somebody wrote on a container harms no other machine’s pulse', async (t) => {
  const world = await begun(4)
  const { relay } = world.leader!.machine.process!.core!
  const [one, two] = world.machines
  const spoilt = { ...pulse, reports: [{ kind: 'gone', unit: 'a/b' } as const] }
  const heard = Promise.all([relay.hear(one!.id, spoilt), relay.hear(two!.id, pulse)])
  const answers = await world.time.runUntilSettled(heard, limitMs)
  t.same(
    answers.map(({ verdict }) => verdict),
    ['ok', 'ok'],
  )
})
