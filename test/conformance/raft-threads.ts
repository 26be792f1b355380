/**
 * The asynchronous mode of the interaction scripts: what is to be written and applied goes to
 * two threads as messages, which carry the answers to be sent once the work is done.
 */
import { present } from '../../src/base/assert.ts'
import type { Index, Term } from '../../src/base/ids.ts'
import { describeMessage } from '../../src/core/raft/describe.ts'
import type {
  AppendEffect,
  AppendToken,
  Entry,
  HardState,
  Message,
} from '../../src/core/raft/types.ts'
import type { Packet, Ready, ScriptNode } from './raft-node.ts'

type EntryText = (entry: Entry) => string

export interface Work {
  readonly text: string
  readonly answers: readonly Packet[]
  readonly perform: () => void
}

export const packetOf = (message: Message, entryText: EntryText): Packet => ({
  to: message.to,
  text: describeMessage(message, entryText),
  message,
  isLocal: false,
  arrive: undefined,
})

/** A thread's message with what it will answer, as `Ready` lists it. */
export const describeWork = ({ text, answers }: Work): string =>
  answers.length === 0
    ? text
    : `${text} Responses:[\n${answers.map((answer) => `  ${answer.text}\n`).join('')}]`

const listed = (entries: readonly Entry[], entryText: EntryText): string => {
  if (entries.length === 0) return ''
  if (entries.length === 1) return ` Entries:[${entries.map(entryText).join('')}]`
  return ` Entries:[\n${entries.map((entry) => `  ${entryText(entry)}\n`).join('')}]`
}

/** One node's threads. */
export class Threads {
  readonly #node: ScriptNode
  readonly #entryText: EntryText
  readonly appends: Work[] = []
  readonly applies: Work[] = []
  #reported = 0 as AppendToken
  /** The last entry a write was reported for, as the scripts' own log keeps it. */
  #stable: Index
  #last: { readonly index: Index; readonly term: Term }
  /** Of the entries given out to be written; beyond `#last` they are void. */
  readonly #terms = new Map<Index, Term>()

  constructor(node: ScriptNode, entryText: EntryText) {
    this.#node = node
    this.#entryText = entryText
    const { lastIndex } = node.raft.status()
    this.#stable = lastIndex
    this.#last = { index: lastIndex, term: 0 as Term }
  }

  /** Queues the work of `ready`; returns it in the order it is listed. */
  take(ready: Ready): readonly Work[] {
    const work: Work[] = []
    if (ready.append !== undefined) work.push(this.#append(ready))
    if (ready.committed.length > 0) work.push(this.#apply(ready.committed))
    return work
  }

  #note({ truncateFrom, snapshot, entries }: AppendEffect): void {
    if (snapshot !== undefined) {
      this.#stable = snapshot.index
      this.#last = snapshot
      this.#terms.clear()
    }
    if (truncateFrom !== undefined) this.#stable = Math.min(this.#stable, truncateFrom - 1) as Index
    for (const { index, term } of entries) this.#terms.set(index, term)
    const last = entries.at(-1)
    if (last !== undefined) this.#last = { index: last.index, term: last.term }
  }

  #append(ready: Ready): Work {
    const append = present(ready.append, 'a write')
    this.#note(append)
    const waiting = [...append.whenDurable]
    const own = this.#ownAnswers(append)
    const answers: Packet[] = [
      ...own,
      ...waiting.map((message) => packetOf(message, this.#entryText)),
    ]
    const unwritten = this.#stable < this.#last.index
    if (unwritten) answers.push(this.#storageAnswer(append.token))
    const work: Work = {
      text: this.#appendText(append.hardState, append.entries),
      answers,
      perform: () => {
        this.#node.write(append)
        // Nobody will be told, so the node is told here.
        if (own.length === 0 && !unwritten) this.#report(append.token)
      },
    }
    this.appends.push(work)
    return work
  }

  /**
   * What the node says to itself once the write is done. The core keeps these to itself; that
   * they are there is plain from what is written.
   */
  #ownAnswers({ token, entries, hardState }: AppendEffect): readonly Packet[] {
    const { id, raft } = this.#node
    const { role, term } = raft.status()
    const texts: string[] = []
    if (role === 'candidate' && hardState?.vote === id) texts.push('MsgVoteResp Term:0 Log:0/0')
    if (role === 'leader') {
      for (const entry of entries) texts.push(`MsgAppResp Term:0 Log:0/${entry.index}`)
    }
    return texts.map((text) => ({
      to: id,
      text: `${id}->${id} ${text.replace('Term:0', `Term:${term}`)}`,
      message: undefined,
      isLocal: true,
      arrive: () => this.#report(token),
    }))
  }

  #appendText(hard: HardState | undefined, entries: readonly Entry[]): string {
    const { id } = this.#node
    const vote = hard === undefined || hard.vote === 0 ? '' : ` Vote:${hard.vote}`
    const commit = hard === undefined || hard.commit === 0 ? '' : ` Commit:${hard.commit}`
    return (
      `${id}->AppendThread MsgStorageAppend Term:${hard?.term ?? 0} Log:0/0${commit}${vote}` +
      listed(entries, this.#entryText)
    )
  }

  #storageAnswer(token: AppendToken): Packet {
    const { index, term } = this.#last
    const during = this.#node.raft.status().term
    return {
      to: this.#node.id,
      text: `AppendThread->${this.#node.id} MsgStorageAppendResp Term:${during} Log:${term}/${index}`,
      message: undefined,
      isLocal: true,
      arrive: () => {
        this.#report(token)
        return this.#settle(during, index, term)
      },
    }
  }

  /**
   * What the scripts' log makes of being told, in term `during`, that (`index`, `term`) is
   * written: they have it forget all reports of earlier terms, where our core knows which of its
   * writes still count. The core is told in any case; this is only what there is to be read.
   */
  #settle(during: Term, index: Index, term: Term): string | undefined {
    const { id, raft } = this.#node
    const { term: now } = raft.status()
    if (during < now) {
      return (
        `${id} [term: ${now}] ignored entry appends from a MsgStorageAppendResp message ` +
        `with lower term [term: ${during}]`
      )
    }
    const held = index > this.#stable ? this.#terms.get(index) : undefined
    if (held === undefined) return `entry at index ${index} missing from unstable log; ignoring`
    if (held !== term) {
      return (
        `entry at (index,term)=(${index},${term}) mismatched with entry at ` +
        `(${index},${held}) in unstable log; ignoring`
      )
    }
    this.#stable = index
    return undefined
  }

  #report(token: AppendToken): undefined {
    if (token <= this.#reported) return undefined
    this.#reported = token
    this.#node.raft.step({ kind: 'appended', token })
    return undefined
  }

  #apply(entries: readonly Entry[]): Work {
    const { id, raft } = this.#node
    const carried = `Term:0 Log:0/0${listed(entries, this.#entryText)}`
    const upto = present(entries.at(-1), 'an entry').index
    const answer: Packet = {
      to: id,
      text: `ApplyThread->${id} MsgStorageApplyResp ${carried}`,
      message: undefined,
      isLocal: true,
      arrive: () => {
        raft.step({ kind: 'applied', upto })
        this.#node.keepSnapshot()
        return undefined
      },
    }
    const text = `${id}->ApplyThread MsgStorageApply ${carried}`
    const work: Work = { text, answers: [answer], perform: () => undefined }
    this.applies.push(work)
    return work
  }
}
