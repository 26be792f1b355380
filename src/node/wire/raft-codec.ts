/**
 * Consensus messages as bytes: a msgpack array `[kind, from, to, term, …]`, entries as the log's
 * own bytes. Decoding checks every field: what comes from a peer is data, not trust.
 */
import { Packr } from 'msgpackr'
import { assertNever } from '../../base/assert.ts'
import { index, type Index, memberId, term, type Term } from '../../base/ids.ts'
import type { Entry, Message, ReadId, Session } from '../../core/raft/types.ts'
import { decodeEntries, encodeEntries } from '../wal/entry-codec.ts'

const packr = new Packr({ useRecords: false })

/** Snapshots travel by calls, in chunks; every other message is one frame. */
export type FramedMessage = Exclude<Message, { kind: 'snapshot' }>

export function encodeRaftMessage(message: FramedMessage): Uint8Array {
  return packr.pack([message.kind, message.from, message.to, message.term, ...fieldsOf(message)])
}

function fieldsOf(message: FramedMessage): readonly unknown[] {
  switch (message.kind) {
    case 'append':
      return [
        message.session,
        message.prevIndex,
        message.prevTerm,
        message.commit,
        encodeEntries(message.entries),
      ]
    case 'appendAccepted':
      return [message.session, message.match]
    case 'appendRejected':
      return [message.session, message.rejected, message.hintIndex, message.hintTerm]
    case 'heartbeat':
      return [message.session, message.commit, message.readRound]
    case 'heartbeatResponse':
      return [message.session, message.readRound]
    case 'voteRequest':
      return [...ofLog(message), message.transfer]
    case 'preVoteRequest':
      return ofLog(message)
    case 'voteResponse':
    case 'preVoteResponse':
      return [message.granted, message.commit, message.commitTerm]
    case 'newerTerm':
    case 'timeoutNow':
      return []
    case 'readRequest':
      return [message.readId, message.nonce]
    case 'readResponse':
      return [message.readId, message.nonce, message.index]
    default:
      return assertNever(message)
  }
}

/** What a candidate tells of its log. */
const ofLog = (message: Extract<FramedMessage, { kind: 'voteRequest' | 'preVoteRequest' }>) => [
  message.lastIndex,
  message.lastTerm,
  message.commit,
  message.commitTerm,
]

/** Undefined when the bytes are not a message. */
export function decodeRaftMessage(payload: Uint8Array): FramedMessage | undefined {
  try {
    const value: unknown = packr.unpack(payload)
    if (!Array.isArray(value)) return undefined
    const fields = new Fields(value as readonly unknown[])
    const kind = fields.text()
    const head = { from: memberId(fields.natural()), to: memberId(fields.natural()) }
    const read = Object.hasOwn(bodies, kind) ? bodies[kind as FramedMessage['kind']] : undefined
    return read?.({ ...head, term: term(fields.natural()) }, fields)
  } catch {
    return undefined
  }
}

/** Thrown inside this file only. */
class Malformed extends Error {}

/** The fields of one message, in order; each is checked as it is taken. */
class Fields {
  readonly #values: readonly unknown[]
  #at = 0

  constructor(values: readonly unknown[]) {
    this.#values = values
  }

  natural(): number {
    const value = this.#next()
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw new Malformed()
    }
    return value
  }

  index(): Index {
    return index(this.natural())
  }

  term(): Term {
    return term(this.natural())
  }

  session(): Session {
    return this.natural() as Session
  }

  readId(): ReadId {
    return this.natural() as ReadId
  }

  flag(): boolean {
    const value = this.#next()
    if (typeof value !== 'boolean') throw new Malformed()
    return value
  }

  text(): string {
    const value = this.#next()
    if (typeof value !== 'string') throw new Malformed()
    return value
  }

  /** What votes tell of the sender's committed log. */
  commitment(): { readonly commit: Index; readonly commitTerm: Term } {
    return { commit: this.index(), commitTerm: this.term() }
  }

  entries(): readonly Entry[] {
    const value = this.#next()
    const entries = value instanceof Uint8Array ? decodeEntries(value) : undefined
    if (entries === undefined) throw new Malformed()
    return entries
  }

  #next(): unknown {
    this.#at += 1
    return this.#values[this.#at - 1]
  }
}

type Head = Pick<FramedMessage, 'from' | 'to' | 'term'>
type Body<K extends FramedMessage['kind']> = (
  head: Head,
  fields: Fields,
) => Extract<FramedMessage, { kind: K }>

/** How the rest of each kind is read; fields are taken in the order in which they are written. */
const bodies: { readonly [K in FramedMessage['kind']]: Body<K> } = {
  append: (head, fields) => ({
    kind: 'append',
    ...head,
    session: fields.session(),
    prevIndex: fields.index(),
    prevTerm: fields.term(),
    commit: fields.index(),
    entries: fields.entries(),
  }),
  appendAccepted: (head, fields) => ({
    kind: 'appendAccepted',
    ...head,
    session: fields.session(),
    match: fields.index(),
  }),
  appendRejected: (head, fields) => ({
    kind: 'appendRejected',
    ...head,
    session: fields.session(),
    rejected: fields.index(),
    hintIndex: fields.index(),
    hintTerm: fields.term(),
  }),
  heartbeat: (head, fields) => ({
    kind: 'heartbeat',
    ...head,
    session: fields.session(),
    commit: fields.index(),
    readRound: fields.natural(),
  }),
  heartbeatResponse: (head, fields) => ({
    kind: 'heartbeatResponse',
    ...head,
    session: fields.session(),
    readRound: fields.natural(),
  }),
  voteRequest: (head, fields) => ({
    kind: 'voteRequest',
    ...head,
    lastIndex: fields.index(),
    lastTerm: fields.term(),
    ...fields.commitment(),
    transfer: fields.flag(),
  }),
  preVoteRequest: (head, fields) => ({
    kind: 'preVoteRequest',
    ...head,
    lastIndex: fields.index(),
    lastTerm: fields.term(),
    ...fields.commitment(),
  }),
  voteResponse: (head, fields) => ({
    kind: 'voteResponse',
    ...head,
    granted: fields.flag(),
    ...fields.commitment(),
  }),
  preVoteResponse: (head, fields) => ({
    kind: 'preVoteResponse',
    ...head,
    granted: fields.flag(),
    ...fields.commitment(),
  }),
  newerTerm: (head) => ({ kind: 'newerTerm', ...head }),
  timeoutNow: (head) => ({ kind: 'timeoutNow', ...head }),
  readRequest: (head, fields) => ({
    kind: 'readRequest',
    ...head,
    readId: fields.readId(),
    nonce: fields.natural(),
  }),
  readResponse: (head, fields) => ({
    kind: 'readResponse',
    ...head,
    readId: fields.readId(),
    nonce: fields.natural(),
    index: fields.index(),
  }),
}
