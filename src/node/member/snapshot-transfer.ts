/**
 * A snapshot from the leader to a member: begin, pieces in order, end; each call is answered. What
 * the member has of it outlives the connection: the leader is told at the next begin, and goes on there.
 */
import * as Type from 'typebox'
import { crc32 } from '../../base/crc32.ts'
import { index, memberId, term } from '../../base/ids.ts'
import type { ConfState, Session, SnapshotMessage } from '../../core/raft/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { CallMethods, CallStream } from '../wire/calls.ts'
import type { Member } from './member.ts'
import { JangadaError } from '../../base/errors.ts'
import { nothingTaken, type Taken } from './snapshots.ts'
import { checker } from './wire-schemas.ts'

const callTimeoutMs = 10_000
/** Breaks in a row, with nothing new taken in between, after which it is consensus's turn again. */
const breaksInARowMax = 5
const pauseAfterBreakMs = 200

const natural = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Of what is there: no entry, and no term that had a leader, is 0. */
const positive = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const ids = Type.Array(natural, { maxItems: 64 })
const taken = Type.Object({ bytes: natural, crc: natural })
const messageFields = {
  from: positive,
  to: natural,
  term: positive,
  session: natural,
  snapshot: Type.Object({
    index: positive,
    term: positive,
    config: Type.Object({
      voters: ids,
      outgoing: ids,
      learners: ids,
      learnersNext: ids,
      autoLeave: Type.Boolean(),
    }),
  }),
}
/** Releases that cannot resume neither ask for it, nor say where a piece begins or what the whole is. */
const checkBegin = checker(Type.Object({ ...messageFields, resume: Type.Optional(Type.Boolean()) }))
const checkPiece = checker(
  Type.Object({
    index: natural,
    at: Type.Optional(natural),
    piece: Type.Unsafe<Uint8Array>(Type.Object({})),
  }),
)
const checkEnd = checker(Type.Object({ ...messageFields, whole: Type.Optional(taken) }))
/** To `snapshot.begin`; they answer with nothing, too. */
const checkBegun = checker(Type.Object({ taken: Type.Optional(taken) }))

export interface SnapshotSending {
  readonly message: SnapshotMessage
  /** A stream to the member's machine; asked for again after each break. */
  readonly dial: () => Promise<CallStream>
  /** The snapshot from its first piece on; asked for again after each break. */
  readonly read: () => AsyncIterable<Uint8Array>
  /** False when nobody waits for it any more: then nobody else's is to be disturbed. */
  readonly isWanted: () => boolean
  readonly clock: Clock
}

/** Rejects when the member there did not take every piece. */
export async function sendSnapshot(sending: SnapshotSending): Promise<void> {
  const { isWanted, clock } = sending
  const progress = { reached: 0 }
  let breaks = 0
  for (let mayResume = true; ;) {
    const before = progress.reached
    try {
      if (await sendOnce(sending, mayResume, progress)) return
      mayResume = false
    } catch (error) {
      breaks = progress.reached > before ? 1 : breaks + 1
      const isBroken = error instanceof JangadaError && breakCodes.has(error.code)
      if (!isBroken || breaks > breaksInARowMax || !isWanted()) throw error
      mayResume = true
      await sleep(clock, pauseAfterBreakMs)
    }
  }
}

const breakCodes: ReadonlySet<string> = new Set(['JGD_OUTCOME_UNKNOWN', 'JGD_UNREACHABLE'])

/** False when what the member had was not the beginning of this snapshot. */
async function sendOnce(
  { message, dial, read }: SnapshotSending,
  mayResume: boolean,
  progress: { reached: number },
): Promise<boolean> {
  const { kind: _kind, ...body } = message
  const calls = await dial()
  const begin = { ...body, resume: mayResume }
  const begun = checkBegun(await calls.call('snapshot.begin', begin, callTimeoutMs))
  const have = begun.taken ?? nothingTaken
  let sent: Taken = nothingTaken
  for await (const piece of read()) {
    const known = Math.min(piece.length, Math.max(0, have.bytes - sent.bytes))
    sent = taking(sent, piece.subarray(0, known))
    if (sent.bytes === have.bytes && sent.crc !== have.crc) return false
    const rest = piece.subarray(known)
    if (rest.length === 0) continue
    const call = { index: message.snapshot.index, at: sent.bytes, piece: rest }
    await calls.call('snapshot.piece', call, callTimeoutMs)
    sent = taking(sent, rest)
    // Who cannot resume is sent the beginning again and again, and gets no further by that.
    progress.reached = Math.max(progress.reached, sent.bytes)
  }
  if (sent.bytes < have.bytes) return false
  await calls.call('snapshot.end', { ...body, whole: sent }, callTimeoutMs)
  return true
}

const taking = ({ bytes, crc }: Taken, piece: Uint8Array): Taken =>
  piece.length === 0 ? { bytes, crc } : { bytes: bytes + piece.length, crc: crc32(piece, crc) }

export function snapshotMethods(member: () => Member | undefined): CallMethods {
  const own = (to: number): Member => {
    const present = member()
    if (present === undefined || (to !== 0 && present.id !== to)) {
      throw new JangadaError('JGD_UNREACHABLE', 'the member meant is not on this machine')
    }
    return present
  }
  return {
    calls: new Map<string, (body: unknown) => Promise<unknown>>([
      [
        'snapshot.begin',
        async (body) => {
          const begin = checkBegin(body)
          const message = toMessage(begin)
          const { snapshots } = own(message.to)
          return { taken: await snapshots.receiveBegin(message.snapshot, begin.resume === true) }
        },
      ],
      [
        'snapshot.piece',
        async (body) => {
          const { index: of, piece, at } = checkPiece(body)
          await own(0).snapshots.receivePiece(index(of), piece, at)
          return {}
        },
      ],
      [
        'snapshot.end',
        async (body) => {
          const end = checkEnd(body)
          const message = toMessage(end)
          await own(message.to).snapshots.receiveEnd(message.snapshot.index, end.whole)
          own(message.to).receive([message])
          return {}
        },
      ],
    ]),
    feeds: new Map(),
  }
}

function toMessage(body: ReturnType<typeof checkEnd>): SnapshotMessage {
  return {
    kind: 'snapshot',
    from: memberId(body.from),
    to: memberId(body.to),
    term: term(body.term),
    session: body.session as Session,
    snapshot: {
      index: index(body.snapshot.index),
      term: term(body.snapshot.term),
      config: body.snapshot.config as unknown as ConfState,
    },
  }
}
