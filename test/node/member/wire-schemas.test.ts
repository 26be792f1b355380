import t from 'tap'
import { encodeCommand } from '../../../src/core/store/command-codec.ts'
import { maxKeyLength } from '../../../src/core/store/types.ts'
import { checkPropose, checkRangeCall, checkWatch } from '../../../src/node/member/wire-schemas.ts'

const ofLength = (length: number): string => 'x'.repeat(length)

t.test('a range may begin behind the longest key and end behind all of them', (t) => {
  const call = (key: string, rangeEnd: string) => ({
    request: { key, rangeEnd },
    consistency: 'local',
    atLeast: 0,
  })
  const longest = ofLength(maxKeyLength + 1)
  t.ok(checkRangeCall(call(longest, longest)))
  t.ok(checkWatch({ key: longest, rangeEnd: longest, fromRevision: 1 }))
  const refused = { code: 'JGD_BAD_REQUEST' }
  t.throws(() => checkRangeCall(call('', ofLength(maxKeyLength + 2))), refused)
  t.throws(() => checkRangeCall(call(ofLength(maxKeyLength + 2), 'y')), refused)
  t.end()
})

t.test('what the store would refuse for its shape never reaches the log', (t) => {
  const grant = (ttlMs: number) => ({
    command: encodeCommand({ kind: 'leaseGrant', id: 'a lease', ttlMs }),
  })
  t.match(checkPropose(grant(1)), { kind: 'leaseGrant', ttlMs: 1 })
  t.throws(() => checkPropose(grant(0)), { code: 'JGD_BAD_REQUEST' })
  t.end()
})
