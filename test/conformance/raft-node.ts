/** One member as the interaction scripts see it: a raw node with `Ready` batches, in step. */
import { assert, present } from '../../src/base/assert.ts'
import type { Index, MemberId } from '../../src/base/ids.ts'
import { describeHardState, describeRole, describeSnapshot } from '../../src/core/raft/describe.ts'
import { Raft } from '../../src/core/raft/raft.ts'
import type {
  AppendEffect,
  Effect,
  Entry,
  HardState,
  Message,
  RaftConfig,
  RestoredState,
} from '../../src/core/raft/types.ts'

type EntryText = (entry: Entry) => string

/** A message on its way: to another node, or from a node's own threads back to it. */
export interface Packet {
  readonly to: number
  readonly text: string
  /** For the core of the node that it is to. */
  readonly message: Message | undefined
  /** It never leaves its node. */
  readonly isLocal: boolean
  /** What else happens as it arrives; a line to print, if any. */
  readonly arrive: (() => string | undefined) | undefined
}

/** Draws what the script sets, else the longest wait, so that only scripts start elections. */
export class ScriptedTimeout {
  next: number | undefined = undefined

  integer(_min: number, max: number): number {
    const drawn = this.next ?? max
    this.next = undefined
    return drawn
  }
}

/** What the core asked for at once, under etcd's name for it. */
export class Ready {
  readonly softState: string | undefined
  readonly append: AppendEffect | undefined
  readonly committed: readonly Entry[]
  /** Those that may leave at once. */
  readonly sent: readonly Message[]

  constructor(effects: readonly Effect[], softState: string | undefined) {
    this.softState = softState
    this.append = effects.find((effect) => effect.kind === 'append')
    this.committed = effects.find((effect) => effect.kind === 'apply')?.entries ?? []
    this.sent = effects.flatMap((effect) =>
      effect.kind === 'send' || effect.kind === 'sendSnapshot' ? [effect.message] : [],
    )
  }

  /** All, in synchronous mode, which writes before it sends. */
  get messages(): readonly Message[] {
    return [...this.sent, ...(this.append?.whenDurable ?? [])]
  }

  get empty(): boolean {
    return (
      this.softState === undefined &&
      this.append === undefined &&
      this.committed.length === 0 &&
      this.messages.length === 0
    )
  }

  /** `messages` are listed as given: in asynchronous mode the threads' are among them. */
  describe(before: HardState, entryText: EntryText, messages: readonly string[]): string {
    const { append } = this
    const hard = append?.hardState
    const voted = hard !== undefined && (hard.term !== before.term || hard.vote !== before.vote)
    const entries = append?.entries ?? []
    const list = (title: string, lines: readonly string[]): readonly string[] =>
      lines.length === 0 ? [] : [title, ...lines]
    return [
      `Ready MustSync=${voted || entries.length > 0}:`,
      ...(this.softState === undefined ? [] : [this.softState]),
      ...(hard === undefined ? [] : [`HardState ${describeHardState(hard)}`]),
      ...list('Entries:', entries.map(entryText)),
      ...(append?.snapshot === undefined ? [] : [`Snapshot ${describeSnapshot(append.snapshot)}`]),
      ...list('CommittedEntries:', this.committed.map(entryText)),
      ...list('Messages:', messages),
    ].join('\n')
  }
}

export class ScriptNode {
  readonly id: MemberId
  readonly raft: Raft
  readonly timeout = new ScriptedTimeout()
  readonly electionTicks: number
  nowMs = 0
  /** What is on its disk. */
  hardState: HardState
  /** The last one its core gave out; ahead of the disk in asynchronous mode. */
  handedOut: HardState
  entries: Entry[]
  firstIndex: Index
  /** Proposals for the leader, to leave with the next batch. */
  readonly forwarded: Packet[] = []
  #softState = softStateOf('follower', 0)

  constructor(options: RaftConfig, restored: RestoredState) {
    this.id = options.id
    this.electionTicks = options.electionTimeoutMs
    this.hardState = restored.hardState
    this.handedOut = restored.hardState
    this.entries = [...restored.entries]
    this.firstIndex = (restored.snapshot.index + 1) as Index
    this.raft = new Raft(options, restored, this.timeout, 0)
  }

  tick(times: number): void {
    for (let i = 0; i < times; i += 1) {
      this.nowMs += 1
      this.raft.step({ kind: 'tick', nowMs: this.nowMs })
    }
  }

  takeReady(): Ready {
    const effects = this.raft.takeEffects()
    const { role, leader } = this.raft.status()
    const now = softStateOf(role, leader)
    const softState = now === this.#softState ? undefined : now
    this.#softState = now
    return new Ready(effects, softState)
  }

  /** Writes, applies, and reports both, in the order of etcd's synchronous mode. */
  carryOut(ready: Ready): void {
    const { append, committed } = ready
    if (append !== undefined) this.write(append)
    const last = committed.at(-1)
    if (last !== undefined) this.raft.step({ kind: 'applied', upto: last.index })
    if (append !== undefined) this.raft.step({ kind: 'appended', token: append.token })
    if (last !== undefined) this.keepSnapshot()
  }

  /** The scripts' storage has a snapshot of every applied index at hand. */
  keepSnapshot(): void {
    const snapshot = this.raft.appliedRef()
    if (snapshot !== undefined) this.raft.step({ kind: 'compacted', snapshot, upto: 0 as Index })
  }

  write(append: AppendEffect): void {
    if (append.hardState !== undefined) this.hardState = append.hardState
    if (append.snapshot !== undefined) {
      this.entries = []
      this.firstIndex = (append.snapshot.index + 1) as Index
    }
    const from = append.truncateFrom
    if (from !== undefined) this.entries = this.entries.filter((entry) => entry.index < from)
    this.entries.push(...append.entries)
  }

  compact(upto: Index): void {
    const snapshot = present(this.raft.appliedRef(), 'the applied index')
    assert(upto <= snapshot.index, 'only what is applied is compacted')
    this.entries = this.entries.filter((entry) => entry.index > upto)
    this.firstIndex = (upto + 1) as Index
    this.raft.step({ kind: 'compacted', snapshot, upto })
  }
}

const softStateOf = (role: Parameters<typeof describeRole>[0], leader: number): string =>
  `Lead:${leader} State:${describeRole(role)}`
