/**
 * An entry that one member knows to be committed is the committed one at its index for ever, and
 * a majority of the voters holds it.
 */
import type { MemberId } from '../../../src/base/ids.ts'
import type { RaftStatus } from '../../../src/core/raft/types.ts'
import type { Member } from '../../../src/node/member/member.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

const name = 'committed entries'

export function committedEntries(world: World): Invariant {
  const { logs } = world
  const terms = new Map<number, number>()
  const checkedUpto = new WeakMap<Member, number>()
  const configs = new WeakMap<Member, RaftStatus['config']>()
  return {
    name,
    log: ({ member, status }) => {
      const { commit, config } = status
      const from = (checkedUpto.get(member) ?? status.firstIndex - 1) + 1
      // What was committed under the members of before is not judged by those of now.
      const isSteady = configs.get(member) === config
      for (let at = from; at <= commit; at += 1) {
        const term = logs.termOf(member.id, at)
        if (term === undefined) continue
        const known = terms.get(at)
        const text = `member ${member.id} has committed entry ${at} of term ${term}, not of ${known}`
        holds(known === undefined || known === term, name, text)
        if (known !== undefined) continue
        terms.set(at, term)
        if (isSteady && status.role === 'leader') onMajority(world, config, at, term)
      }
      checkedUpto.set(member, commit)
      configs.set(member, config)
    },
  }
}

/** A voter that does not run may have taken the entry in its last moment: it counts as having it. */
function onMajority(world: World, config: RaftStatus['config'], at: number, term: number): void {
  const has = (id: MemberId): boolean => {
    const member = world.machineOf(id)?.process?.core?.member?.member
    if (member === undefined) return true
    world.logs.look(member)
    return world.logs.holds(id, at, term)
  }
  for (const voters of [config.voters, config.outgoing]) {
    const holders = voters.filter(has)
    const text = `entry ${at} of term ${term} is committed, and of voters ${voters.join(' ')} only ${holders.join(' ')} have it`
    holds(voters.length === 0 || 2 * holders.length > voters.length, name, text)
  }
}
