/** `confchange/`: what a change of membership makes of a configuration, and of the accounts. */
import type { Index, MemberId, Term } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { changeConfig, emptyConfig } from '../../src/core/raft/config.ts'
import { describeConfig, describeProgress } from '../../src/core/raft/describe.ts'
import { applyChanges } from '../../src/core/raft/membership.ts'
import { RaftState } from '../../src/core/raft/state.ts'
import type { MemberChange, MemberStep } from '../../src/core/raft/types.ts'
import { raftOptions } from '../core/raft/options.ts'
import { flagOf, UnknownCommand, type Command } from './script.ts'

/** One script is one history. */
export class ConfchangeSuite {
  /** Belongs to nobody in the configuration, so that every member is a newcomer to it. */
  readonly #state = new RaftState(
    raftOptions({ id: Number.MAX_SAFE_INTEGER as MemberId }),
    {
      hardState: { term: 0 as Term, vote: 0 as MemberId, commit: 0 as Index },
      snapshot: { index: 0 as Index, term: 0 as Term, config: emptyConfig },
      entries: [],
    },
    new SeededRandom(1),
  )

  run(command: Command): string {
    const change = changeOf(command)
    const state = this.#state
    const result = changeConfig(state.config, change)
    const index = (state.log.lastIndex + 1) as Index
    const term = 0 as Term
    if (result.ok) applyChanges(state, [{ kind: 'config', index, term, change }])
    const shown = result.ok ? this.#show() : result.reason
    // The log grows by one a command, so that a newcomer's `next` tells when it came.
    state.log.append([{ kind: 'normal', index, term, data: new Uint8Array(0) }])
    return shown
  }

  #show(): string {
    const { config, progress } = this.#state
    const accounts = [...progress.values()]
      .toSorted((a, b) => a.id - b.id)
      .map((account) => `${account.id}: ${describeProgress(account.status())}`)
    return [describeConfig(config), ...accounts].join('\n')
  }
}

const stepKinds = { v: 'addVoter', l: 'addLearner', r: 'remove', u: 'update' } as const

/** `v1 l2 r3 u4`: one step a word. */
export function stepsOf(input: string): readonly MemberStep[] {
  const words = input.split(/\s+/).filter((word) => word !== '')
  return words.map((word): MemberStep => {
    const kind = stepKinds[word[0] as keyof typeof stepKinds]
    const id = Number(word.slice(1))
    if (kind === undefined || !Number.isSafeInteger(id)) throw new UnknownCommand(word)
    return { kind, id: id as MemberId }
  })
}

function changeOf(command: Command): MemberChange {
  const steps = stepsOf(command.input)
  switch (command.name) {
    case 'simple':
      return { kind: 'simple', steps }
    case 'enter-joint':
      return { kind: 'enterJoint', steps, autoLeave: flagOf(command, 'autoleave') }
    case 'leave-joint':
      if (steps.length > 0) throw new UnknownCommand('leave-joint takes no steps')
      return { kind: 'leaveJoint' }
    default:
      throw new UnknownCommand(command.name)
  }
}
