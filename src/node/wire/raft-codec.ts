/**
 * Consensus messages as bytes: a msgpack array `[kind, from, to, term, …]`, entries as the log's
 * own bytes. Decoding checks every field: what comes from a peer is data, not trust.
 */
import { Packr } from 'msgpackr'
import { assertNever } from '../../base/assert.ts'
import { index, type Index, memberId, term } from '../../base/ids.ts'
import type { Message, ReadId, Session } from '../../core/raft/types.ts'
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
      return [
        message.lastIndex,
        message.lastTerm,
        message.commit,
        message.commitTerm,
        message.transfer,
      ]
    case 'preVoteRequest':
      return [message.lastIndex, message.lastTerm, message.commit, message.commitTerm]
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

/** Thrown inside this file only. */
class Malformed extends Error {}

/** Undefined when the bytes are not a message. */
export function decodeRaftMessage(payload: Uint8Array): FramedMessage | undefined {
  try {
    const value: unknown = packr.unpack(payload)
    if (!Array.isArray(value)) return undefined
    return toMessage(value as readonly unknown[])
  } catch {
    return undefined
  }
}

function toMessage(fields: readonly unknown[]): FramedMessage {
  let at = 0
  const next = (): unknown => {
    at += 1
    return fields[at - 1]
  }
  const natural = (): number => {
    const value = next()
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Malformed()
    return value as number
  }
  const position = (): Index => index(natural())
  const flag = (): boolean => {
    const value = next()
    if (typeof value !== 'boolean') throw new Malformed()
    return value
  }
  const committed = () => ({ commit: position(), commitTerm: term(natural()) })
  const session = (): Session => natural() as Session
  const kind = next()
  const head = { from: memberId(natural()), to: memberId(natural()), term: term(natural()) }
  switch (kind as FramedMessage['kind']) {
    case 'append':
      return {
        kind: 'append',
        ...head,
        session: session(),
        prevIndex: position(),
        prevTerm: term(natural()),
        commit: position(),
        entries: toEntries(next()),
      }
    case 'appendAccepted':
      return { kind: 'appendAccepted', ...head, session: session(), match: position() }
    case 'appendRejected':
      return {
        kind: 'appendRejected',
        ...head,
        session: session(),
        rejected: position(),
        hintIndex: position(),
        hintTerm: term(natural()),
      }
    case 'heartbeat':
      return {
        kind: 'heartbeat',
        ...head,
        session: session(),
        commit: position(),
        readRound: natural(),
      }
    case 'heartbeatResponse':
      return { kind: 'heartbeatResponse', ...head, session: session(), readRound: natural() }
    case 'voteRequest':
      return {
        kind: 'voteRequest',
        ...head,
        lastIndex: position(),
        lastTerm: term(natural()),
        ...committed(),
        transfer: flag(),
      }
    case 'preVoteRequest':
      return {
        kind: 'preVoteRequest',
        ...head,
        lastIndex: position(),
        lastTerm: term(natural()),
        ...committed(),
      }
    case 'voteResponse':
      return { kind: 'voteResponse', ...head, granted: flag(), ...committed() }
    case 'preVoteResponse':
      return { kind: 'preVoteResponse', ...head, granted: flag(), ...committed() }
    case 'newerTerm':
      return { kind: 'newerTerm', ...head }
    case 'timeoutNow':
      return { kind: 'timeoutNow', ...head }
    case 'readRequest':
      return { kind: 'readRequest', ...head, readId: natural() as ReadId, nonce: natural() }
    case 'readResponse':
      return {
        kind: 'readResponse',
        ...head,
        readId: natural() as ReadId,
        nonce: natural(),
        index: position(),
      }
    default:
      throw new Malformed()
  }
}

function toEntries(value: unknown): Extract<FramedMessage, { kind: 'append' }>['entries'] {
  if (!(value instanceof Uint8Array)) throw new Malformed()
  const entries = decodeEntries(value)
  if (entries === undefined) throw new Malformed()
  return entries
}
