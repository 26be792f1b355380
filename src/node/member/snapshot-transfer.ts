/**
 * A snapshot from the leader to a member: begin, pieces in order, end; each call is answered. What
 * the member has of it outlives the connection: the leader is told at the next begin, and goes on there.
 */
import * as Type from 'typebox'
import { crc32 } from '../../base/crc32.ts'
import { index, memberId, type MemberId, noMember, term } from '../../base/ids.ts'
import { faultOfConfig } from '../../core/raft/config.ts'
import type { ConfState, Session, SnapshotMessage } from '../../core/raft/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { CallContext, CallMethods, CallStream } from '../wire/calls.ts'
import type { Member } from './member.ts'
import { JangadaError } from '../../base/errors.ts'
import { nothingTaken, type Sender, type Taken } from './snapshots.ts'
import { checker } from './wire-schemas.ts'

const callTimeoutMs = 10_000
/** Breaks in a row, with nothing new taken in between, after which it is consensus's turn again. */
const breaksInARowMax = 5
const pauseAfterBreakMs = 200

const natural = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Of what is there: no entry, and no term that had a leader, is 0. */
const positive = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const ids = Type.Array(positive, { maxItems: 64 })
const taken = Type.Object({ bytes: natural, crc: natural })
const messageFields = {
  from: positive,
  to: positive,
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

/** `machineOf`: where a member is, as far as this machine knows. */
export function snapshotMethods(
  member: () => Member | undefined,
  machineOf: (id: MemberId) => string | undefined,
): CallMethods {
  const own = (): Member => {
    const present = member()
    if (present !== undefined) return present
    throw new JangadaError('JGD_UNREACHABLE', 'there is no member on this machine')
  }
  const receiver = (message: SnapshotMessage, sender: Sender): Member => {
    refuseFalse(own(), message, sender, machineOf(message.from))
    return own()
  }
  return {
    calls: new Map<string, (body: unknown, context: CallContext) => Promise<unknown>>([
      [
        'snapshot.begin',
        async (body, context) => {
          const begin = checkBegin(body)
          const message = toMessage(begin)
          const sender = senderOf(message, context)
          const { snapshots } = receiver(message, sender)
          const mayResume = begin.resume === true
          return { taken: await snapshots.receiveBegin(message.snapshot, mayResume, sender) }
        },
      ],
      [
        'snapshot.piece',
        async (body, { peer }) => {
          const { index: of, piece, at } = checkPiece(body)
          if (!(piece instanceof Uint8Array)) throw malformed('a piece is bytes')
          await own().snapshots.receivePiece(index(of), piece, peer.machineId, at)
          return {}
        },
      ],
      [
        'snapshot.end',
        async (body, context) => {
          const end = checkEnd(body)
          const message = toMessage(end)
          const sender = senderOf(message, context)
          const { snapshots } = receiver(message, sender)
          const letGo = await snapshots.receiveEnd(message.snapshot, sender, end.whole)
          let isTaken = false
          try {
            const present = receiver(message, sender)
            present.receive([message])
            isTaken = present.status().isRestoring
          } finally {
            // The log may have brought it all meanwhile, or another leader have been heard.
            if (!isTaken) await letGo()
          }
          return {}
        },
      ],
    ]),
    feeds: new Map(),
  }
}

/** `machine` is the one of the member that it is from; of one not known here yet nobody can tell. */
function refuseFalse(
  present: Member,
  { from, to, term: ofLeader }: SnapshotMessage,
  { machineId }: Sender,
  machine: string | undefined,
): void {
  if (present.id !== to) {
    throw new JangadaError('JGD_UNREACHABLE', 'the member meant is not on this machine')
  }
  if (machine !== undefined && machine !== machineId) {
    throw new JangadaError('JGD_FORBIDDEN', `member ${from} is of another machine`)
  }
  const { leader, term: ownTerm } = present.status()
  if (ofLeader === ownTerm && leader !== noMember && leader !== from) {
    throw new JangadaError('JGD_CONFLICT', `member ${leader} leads in term ${ownTerm}`)
  }
}

const senderOf = ({ from, term: ofLeader }: SnapshotMessage, { peer }: CallContext): Sender => ({
  machineId: peer.machineId,
  id: from,
  term: ofLeader,
})

const malformed = (message: string): JangadaError => new JangadaError('JGD_BAD_REQUEST', message)

/** Throws JGD_BAD_REQUEST: what is not so here would break what consensus and its log hold to. */
function toMessage(body: ReturnType<typeof checkEnd>): SnapshotMessage {
  const { voters, outgoing, learners, learnersNext, autoLeave } = body.snapshot.config
  const toIds = (list: readonly number[]): MemberId[] => list.map(memberId)
  const config: ConfState = {
    voters: toIds(voters),
    outgoing: toIds(outgoing),
    learners: toIds(learners),
    learnersNext: toIds(learnersNext),
    autoLeave,
  }
  const fault = faultOfConfig(config)
  if (fault !== undefined) throw malformed(`the members of a snapshot: ${fault}`)
  if (voters.length === 0) throw malformed('a snapshot is of a cluster that votes')
  if (body.snapshot.term > body.term) throw malformed('a snapshot is of no term to come')
  return {
    kind: 'snapshot',
    from: memberId(body.from),
    to: memberId(body.to),
    term: term(body.term),
    session: body.session as Session,
    snapshot: { index: index(body.snapshot.index), term: term(body.snapshot.term), config },
  }
}
