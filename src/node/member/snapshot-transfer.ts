/** A snapshot from the leader to a member: begin, pieces in order, end; each call is answered. */
import * as Type from 'typebox'
import { index, memberId, term } from '../../base/ids.ts'
import type { ConfState, Session, SnapshotMessage } from '../../core/raft/types.ts'
import type { CallMethods, CallStream } from '../wire/calls.ts'
import type { Member } from './member.ts'
import { JangadaError } from '../../base/errors.ts'
import { checker } from './wire-schemas.ts'

const callTimeoutMs = 10_000

const natural = Type.Integer({ minimum: 0 })
const ids = Type.Array(natural, { maxItems: 64 })
const messageSchema = Type.Object({
  from: natural,
  to: natural,
  term: natural,
  session: natural,
  snapshot: Type.Object({
    index: natural,
    term: natural,
    config: Type.Object({
      voters: ids,
      outgoing: ids,
      learners: ids,
      learnersNext: ids,
      autoLeave: Type.Boolean(),
    }),
  }),
})
const checkMessage = checker(messageSchema)
const checkPiece = checker(
  Type.Object({ index: natural, piece: Type.Unsafe<Uint8Array>(Type.Object({})) }),
)

/** Rejects when the member there did not take every piece. */
export async function sendSnapshot(
  calls: CallStream,
  message: SnapshotMessage,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { kind: _kind, ...body } = message
  await calls.call('snapshot.begin', body, callTimeoutMs)
  for await (const piece of pieces) {
    await calls.call('snapshot.piece', { index: message.snapshot.index, piece }, callTimeoutMs)
  }
  await calls.call('snapshot.end', body, callTimeoutMs)
}

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
          const message = toMessage(checkMessage(body))
          await own(message.to).snapshots.receiveBegin(message.snapshot)
          return {}
        },
      ],
      [
        'snapshot.piece',
        async (body) => {
          const { index: of, piece } = checkPiece(body)
          await own(0).snapshots.receivePiece(index(of), piece)
          return {}
        },
      ],
      [
        'snapshot.end',
        async (body) => {
          const message = toMessage(checkMessage(body))
          await own(message.to).snapshots.receiveEnd(message.snapshot.index)
          own(message.to).receive(message)
          return {}
        },
      ],
    ]),
    feeds: new Map(),
  }
}

function toMessage(body: ReturnType<typeof checkMessage>): SnapshotMessage {
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
