/** `quorum/`: counting votes and committed indexes, in majorities and joint majorities. */
import type { MemberId } from '../../src/base/ids.ts'
import { describeQuorum } from '../../src/core/raft/describe.ts'
import {
  electorateIds,
  jointIndex,
  jointVote,
  majorityIndex,
  majorityVote,
  type Electorate,
} from '../../src/core/raft/quorum.ts'
import { argOf, UnknownCommand, type Command } from './script.ts'

const voteNames = { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' } as const

/** Each command stands alone. */
export function runQuorumCommand(command: Command): string {
  const voters = ids(argOf(command, 'cfg'))
  const second = argOf(command, 'cfgj')
  const joint = second !== undefined
  const electorate = { voters, outgoing: second?.[0] === 'zero' ? [] : ids(second) }
  switch (command.name) {
    case 'vote':
      return voteOf(command, electorate, joint)
    case 'committed':
      return committedOf(command, electorate, joint)
    default:
      throw new UnknownCommand(command.name)
  }
}

const ids = (values: readonly string[] | undefined): readonly MemberId[] =>
  [...new Set((values ?? []).map((value) => Number(value) as MemberId))].toSorted((a, b) => a - b)

/** Values are given for the ids in the order the configurations first name them. */
function byId(command: Command, key: string): Map<MemberId, string> | string {
  const named = [...(argOf(command, 'cfg') ?? []), ...(argOf(command, 'cfgj') ?? [])]
  const order = [...new Set(named.filter((name) => name !== 'zero'))].map(Number)
  const values = argOf(command, key) ?? []
  if (values.length !== order.length) {
    const sorted = order.toSorted((a, b) => a - b)
    const shown = values.map((value) => (value === '_' ? '0' : value))
    return (
      `error: mismatched input (explicit or _) for voters [${sorted.join(' ')}]: ` +
      `[${shown.join(' ')}]`
    )
  }
  const known = order.map((id, i) => [id as MemberId, values[i] as string] as const)
  return new Map(known.filter(([, value]) => value !== '_'))
}

function voteOf(command: Command, electorate: Electorate, joint: boolean): string {
  const given = byId(command, 'votes')
  if (typeof given === 'string') return given
  const votes = new Map([...given].map(([id, value]) => [id, value === 'y'] as const))
  const result = joint ? jointVote(electorate, votes) : majorityVote(electorate.voters, votes)
  const swapped = jointVote({ voters: electorate.outgoing, outgoing: electorate.voters }, votes)
  return voteNames[result] + (joint && swapped !== result ? ` <-- ${voteNames[swapped]}` : '')
}

function committedOf(command: Command, electorate: Electorate, joint: boolean): string {
  const given = byId(command, 'idx')
  if (typeof given === 'string') return given
  const indexOf = (id: MemberId): number | undefined =>
    given.has(id) ? Number(given.get(id)) : undefined
  const index = joint ? jointIndex(electorate, indexOf) : majorityIndex(electorate.voters, indexOf)
  const swapped = { voters: electorate.outgoing, outgoing: electorate.voters }
  const other = joint ? jointIndex(swapped, indexOf) : index
  const shown = (value: number): string => (value === Infinity ? '∞' : String(value))
  const described = describeQuorum(electorate, indexOf)
  if (electorateIds(electorate).length === 0) return described + shown(index)
  return described + shown(index) + (other === index ? '' : ` <-- ${shown(other)}`)
}
