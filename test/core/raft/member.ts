/**
 * One member for tests: a `Raft` with a disk that forgets what was not synced, and a state
 * machine that is the list of what was applied. It does at once what a driver does over time,
 * except writing, which the test decides.
 */
import { assert, assertNever, present } from '../../../src/base/assert.ts'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import type { Index, MemberId } from '../../../src/base/ids.ts'
import { Raft } from '../../../src/core/raft/raft.ts'
import type {
  AppendEffect,
  Effect,
  Entry,
  HardState,
  Input,
  Message,
  RaftConfig,
  RandomIntegers,
  RestoredState,
  SnapshotRef,
} from '../../../src/core/raft/types.ts'

export interface Disk {
  hardState: HardState
  snapshot: SnapshotRef
  /** All after some index at or before `snapshot.index + 1`. */
  entries: Entry[]
  /** The state machine as of `snapshot`. */
  machine: readonly string[]
}

/** What a test wants to know of, beside what it can ask. */
export interface Watcher {
  sent(from: TestMember, message: Message, machine?: readonly string[]): void
  applied(member: TestMember, entry: Entry): void
  effect(member: TestMember, effect: Effect): void
}

/** What an entry does to the state machine, as a word. */
export const wordOf = (entry: Entry): string =>
  entry.kind === 'normal' ? fromUtf8(entry.data) : `config ${JSON.stringify(entry.change)}`

export class TestMember {
  readonly id: MemberId
  readonly disk: Disk
  raft: Raft
  /** What was applied, by index - 1. */
  machine: string[]
  /** The log as the core has handed it out, durable or not. */
  memory: Entry[]
  /** Handed out to be written, oldest first. */
  unwritten: AppendEffect[] = []
  /** Snapshots' state machines that arrived, by index. */
  arrived = new Map<Index, readonly string[]>()
  readonly #options: RaftConfig
  readonly #random: RandomIntegers
  readonly #watcher: Watcher

  constructor(
    options: RaftConfig,
    restored: RestoredState,
    random: RandomIntegers,
    watcher: Watcher,
    nowMs = 0,
  ) {
    this.id = options.id
    this.#options = options
    this.#random = random
    this.#watcher = watcher
    const { hardState, snapshot, entries } = restored
    const machine = Array.from({ length: snapshot.index }, () => '')
    this.disk = { hardState, snapshot, entries: [...entries], machine }
    this.memory = [...entries]
    this.machine = [...machine]
    this.raft = new Raft(options, this.disk, random, nowMs)
  }

  step(input: Input): void {
    this.raft.step(input)
    this.run()
  }

  /** Does what the core asks, until it asks nothing more; writes only wait. */
  run(): void {
    for (let effects = this.raft.takeEffects(); effects.length > 0;) {
      for (const effect of effects) this.#carryOut(effect)
      effects = this.raft.takeEffects()
    }
  }

  #carryOut(effect: Effect): void {
    this.#watcher.effect(this, effect)
    switch (effect.kind) {
      case 'send':
        this.#watcher.sent(this, effect.message)
        return
      case 'sendSnapshot':
        assert(effect.message.snapshot.index === this.disk.snapshot.index, 'it is on disk')
        this.#watcher.sent(this, effect.message, this.disk.machine)
        return
      case 'append':
        this.memory = replaced(this.memory, effect)
        this.unwritten.push(effect)
        return
      case 'apply':
        this.#apply(effect.entries)
        return
      case 'readReady':
      case 'readFailed':
      case 'proposalAppended':
      case 'proposalDropped':
      case 'roleChanged':
      case 'configChanged':
        return
      default:
        assertNever(effect)
    }
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.machine.length + 1, 'entries are applied in order')
      this.machine.push(wordOf(entry))
      this.#watcher.applied(this, entry)
    }
    this.raft.step({ kind: 'applied', upto: present(entries.at(-1), 'an entry').index })
  }

  /** The oldest waiting write reaches the disk, and what depended on it leaves. */
  sync(): void {
    this.syncSilently()
    this.run()
  }

  /** As `sync`, but nothing the core wants done next is done. */
  syncSilently(): void {
    const effect = this.unwritten.shift()
    if (effect === undefined) return
    this.#write(effect)
    for (const message of effect.whenDurable) this.#watcher.sent(this, message)
    this.raft.step({ kind: 'appended', token: effect.token })
  }

  syncAll(): void {
    while (this.unwritten.length > 0) this.sync()
  }

  #write(effect: AppendEffect): void {
    const { disk } = this
    disk.entries = replaced(disk.entries, effect)
    if (effect.snapshot !== undefined) {
      disk.snapshot = effect.snapshot
      disk.machine = present(this.arrived.get(effect.snapshot.index), 'the bytes came first')
      if (effect.snapshot.index > this.machine.length) this.machine = [...disk.machine]
    }
    if (effect.hardState !== undefined) disk.hardState = effect.hardState
  }

  /** A snapshot of now; entries up to `upto` are let go. */
  compact(keep: number): void {
    const snapshot = this.raft.appliedRef()
    if (snapshot === undefined || snapshot.index <= this.disk.snapshot.index) return
    // As a driver does: the snapshot is durable before the core hears of it, and the disk's
    // log keeps what memory keeps.
    if (snapshot.index > (this.disk.entries.at(-1)?.index ?? 0)) return
    const upto = Math.max(0, snapshot.index - keep) as Index
    this.disk.snapshot = snapshot
    this.disk.machine = this.machine.slice(0, snapshot.index)
    this.disk.entries = this.disk.entries.filter((entry) => entry.index > upto)
    this.memory = this.memory.filter((entry) => entry.index > upto)
    this.step({ kind: 'compacted', snapshot, upto })
  }

  /** The process ends, and starts again from what `written` of the waiting writes left on disk. */
  restart(nowMs: number, written = 0): void {
    for (const effect of this.unwritten.splice(0, written)) this.#write(effect)
    this.unwritten = []
    this.memory = [...this.disk.entries]
    this.machine = [...this.disk.machine]
    this.raft = new Raft(this.#options, this.disk, this.#random, nowMs)
  }
}

function replaced(entries: readonly Entry[], effect: AppendEffect): Entry[] {
  const from = effect.truncateFrom
  let kept = effect.snapshot === undefined ? entries : []
  if (from !== undefined) kept = kept.filter((entry) => entry.index < from)
  const before = kept.at(-1)?.index
  const first = effect.entries[0]?.index
  assert(before === undefined || first === undefined || first === before + 1, 'no gap on disk')
  return [...kept, ...effect.entries]
}
