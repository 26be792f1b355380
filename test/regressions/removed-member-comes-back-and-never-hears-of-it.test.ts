import t from 'tap'
import { worldInvariants } from '../sim/invariants/all.ts'
import { World } from '../sim/world.ts'

/** As long as a lost voter keeps its place, and some. */
const longMs = 11 * 60_000

t.test('a voter that was replaced while it was away comes back as a machine', async (t) => {
  let world = new World({ seed: 1, invariants: worldInvariants })
  for (let seed = 2; world.machines.length !== 4; seed += 1) {
    world = new World({ seed, invariants: worldInvariants })
  }
  t.ok(await world.begin())
  const { leader } = world
  const voters = leader?.member.member.status().config.voters ?? []
  const away = voters.find((id) => id !== leader?.member.member.id)
  const machine = away === undefined ? undefined : world.machineOf(away)
  if (away === undefined || machine === undefined) throw new Error('nobody else votes')
  machine.losePower()
  const isReplaced = (): boolean =>
    world.leader?.member.member.status().config.voters.includes(away) === false
  t.ok(await world.runUntil(isReplaced, longMs), 'another votes in its place')
  machine.gainPower()
  const status = (): string | undefined =>
    world.committed.machines.values.find(({ id }) => id === machine.id)?.status
  t.equal(status(), 'lost')
  t.ok(await world.runUntil(() => status() === 'ready', 20_000), 'it is ready again')
  const isOther = (): boolean => machine.process?.core?.memberId !== away
  t.ok(await world.runUntil(isOther, 20_000), 'and is not the member any more that it was')
})
