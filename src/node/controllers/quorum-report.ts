/** What the leader tells of the members, as it crosses the wire. */
import * as Type from 'typebox'

const count = Type.Integer({ minimum: 0 })

const followerReportSchema = Type.Object({
  memberId: count,
  votes: Type.Boolean(),
  answers: Type.Boolean(),
  /** How long it has not answered, in milliseconds; 0 while it answers. */
  silentMs: count,
  /** How old the oldest write is that it lacks, in milliseconds; 0 when it lacks none. */
  behindMs: count,
  /** `behindMs` may be more: the leader does not remember further back. */
  isAtLeast: Type.Boolean(),
  behindEntries: count,
})
export type FollowerReport = Type.Static<typeof followerReportSchema>

export const quorumReportSchema = Type.Object({
  leader: count,
  term: count,
  isJoint: Type.Boolean(),
  members: Type.Array(followerReportSchema, { maxItems: 64 }),
  /** What the leader would do and cannot yet, in words; empty when all is as it should be. */
  waiting: Type.String({ maxLength: 1024 }),
})
export type QuorumReport = Type.Static<typeof quorumReportSchema>
