import t from 'tap'
import { index, memberId, term } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { ReadId, Session } from '../../../src/core/raft/types.ts'
import {
  decodeRaftMessage,
  encodeRaftMessage,
  type FramedMessage,
} from '../../../src/node/wire/raft-codec.ts'

const head = { from: memberId(1), to: memberId(2), term: term(7) }
const session = 3 as Session
const commitment = { commit: index(8), commitTerm: term(6) }
const messages: FramedMessage[] = [
  {
    kind: 'append',
    ...head,
    session,
    prevIndex: index(9),
    prevTerm: term(6),
    commit: index(8),
    entries: [
      { kind: 'normal', index: index(10), term: term(7), data: utf8('hello') },
      { kind: 'config', index: index(11), term: term(7), change: { kind: 'leaveJoint' } },
    ],
  },
  { kind: 'appendAccepted', ...head, session, match: index(11) },
  {
    kind: 'appendRejected',
    ...head,
    session,
    rejected: index(9),
    hintIndex: index(5),
    hintTerm: term(4),
  },
  { kind: 'heartbeat', ...head, session, commit: index(8), readRound: 2 },
  { kind: 'heartbeatResponse', ...head, session, readRound: 2 },
  {
    kind: 'voteRequest',
    ...head,
    ...commitment,
    lastIndex: index(9),
    lastTerm: term(6),
    transfer: true,
  },
  { kind: 'preVoteRequest', ...head, ...commitment, lastIndex: index(9), lastTerm: term(6) },
  { kind: 'voteResponse', ...head, ...commitment, granted: true },
  { kind: 'preVoteResponse', ...head, ...commitment, granted: false },
  { kind: 'newerTerm', ...head },
  { kind: 'timeoutNow', ...head },
  { kind: 'readRequest', ...head, readId: 5 as ReadId, nonce: 77 },
  { kind: 'readResponse', ...head, readId: 5 as ReadId, nonce: 77, index: index(11) },
]

t.test('every message comes back as it left', (t) => {
  for (const message of messages) t.same(decodeRaftMessage(encodeRaftMessage(message)), message)
  t.end()
})

t.test('damaged bytes give nothing, or a message whose every field is in its bounds', (t) => {
  const random = new SeededRandom(1)
  let understood = 0
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = encodeRaftMessage(random.pick(messages)).slice()
    for (let hits = random.integer(1, 4); hits > 0; hits -= 1) {
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255)
    }
    const message = decodeRaftMessage(random.chance(0.2) ? random.bytes(30) : bytes)
    if (message === undefined) continue
    understood += 1
    const numbers = [message.from, message.to, message.term]
    if (!numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) {
      t.fail('a field is out of bounds')
    }
  }
  t.ok(understood > 0, 'some damage only changes a value')
  t.end()
})
