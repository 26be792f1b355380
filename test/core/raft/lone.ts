/** One member by itself: the test plays all others, message by message. */
import { utf8 } from '../../../src/base/bytes.ts'
import type { Index, MemberId, Term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type {
  Effect,
  Entry,
  Message,
  MessageKind,
  RaftConfig,
  ReadId,
  RestoredState,
  Session,
} from '../../../src/core/raft/types.ts'
import { founded } from './cluster.ts'
import { TestMember } from './member.ts'
import { raftOptions } from './options.ts'

export const id = (value: number): MemberId => value as MemberId
export const at = (value: number): Index => value as Index
export const term = (value: number): Term => value as Term
export const session = (value: number): Session => value as Session
export const readId = (value: number): ReadId => value as ReadId

/** Of a voter that knows nothing to be committed. */
export const unknowing = { commit: at(0), commitTerm: term(0) }

export const entry = (inTerm: number, index: number, word = `${inTerm}/${index}`): Entry => ({
  kind: 'normal',
  index: at(index),
  term: term(inTerm),
  data: utf8(word),
})

/** A group in the middle of a change from the voters `outgoing` to `voters`. */
export function joint(voters: readonly number[], outgoing: readonly number[]): RestoredState {
  const restored = founded(...voters)
  const config = { ...restored.snapshot.config, outgoing: outgoing.map(id) }
  return { ...restored, snapshot: { ...restored.snapshot, config } }
}

type WithoutAddressee<M> = M extends Message ? Omit<M, 'to'> : never

export class Lone {
  readonly member: TestMember
  /** What it sent, oldest first. */
  sent: Message[] = []
  effects: Effect[] = []
  nowMs = 0

  /** Member 1 of 1, 2 and 3, with a snapshot at index 1, unless told otherwise. */
  constructor(restored: RestoredState = founded(1, 2, 3), options: Partial<RaftConfig> = {}) {
    const watcher = {
      sent: (_: TestMember, message: Message) => void this.sent.push(message),
      applied: () => undefined,
      effect: (_: TestMember, effect: Effect) => void this.effects.push(effect),
    }
    const config = raftOptions({ preVote: false, ...options, id: id(1) })
    this.member = new TestMember(config, restored, new SeededRandom(1), watcher)
  }

  get status() {
    return this.member.raft.status()
  }

  /** Hands `message` over, to member 1; what it leads to is written at once. */
  receive(message: WithoutAddressee<Message>): void {
    const whole = { ...message, to: id(1) } as Message
    this.member.step({ kind: 'receive', message: whole, nowMs: this.nowMs })
    this.member.syncAll()
  }

  /** Stands, and is voted for by `voters`. */
  lead(...voters: readonly number[]): void {
    this.member.step({ kind: 'campaign' })
    this.member.syncAll()
    for (const voter of voters) {
      const from = id(voter)
      this.receive({
        kind: 'voteResponse',
        from,
        term: this.status.term,
        granted: true,
        ...unknowing,
      })
    }
  }

  /** The last message of `kind` to `to`. */
  last<K extends MessageKind>(kind: K, to: number): Extract<Message, { kind: K }> | undefined {
    return this.sent.findLast(
      (message): message is Extract<Message, { kind: K }> =>
        message.kind === kind && message.to === to,
    )
  }

  /** Member `from` says that it holds everything up to `match`. */
  accept(from: number, match: number): void {
    const sent = this.last('append', from)
    if (sent === undefined) throw new Error(`nothing was sent to ${from}`)
    const { session: of, term: during } = sent
    this.receive({
      kind: 'appendAccepted',
      from: id(from),
      term: during,
      session: of,
      match: at(match),
    })
  }
}
