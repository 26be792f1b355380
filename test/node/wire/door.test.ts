/** Who may speak for which member at the peer door. */
import t from 'tap'
import { type MemberId, memberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { Door } from '../../../src/node/wire/door.ts'
import type { Greeted } from '../../../src/node/wire/handshake.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { simulatedCrypto } from '../../sim/crypto.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { sinkLog } from '../../sim/quiet.ts'
import { SimulatedStreams, SimulatedSwitchboard } from '../../sim/streams.ts'

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as const
const address = { host: '10.0.0.1', port: 7382 }
const noMethods = { calls: new Map(), feeds: new Map() }

/** Member 1 of machine a listens; machine b says that it runs `claims`. */
async function meet(options: {
  readonly claims: number
  readonly known: ReadonlyMap<number, string>
  readonly knownToDialer?: ReadonlyMap<number, string>
}): Promise<{ dial: () => Promise<Greeted>; adopted: Greeted[]; time: SimulatedTime }> {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const board = new SimulatedSwitchboard(new SimulatedNetwork(time, random.fork()))
  const crypto = simulatedCrypto(random.fork())
  const clusterId = 'c'.repeat(32)
  const authority = await crypto.generateKey()
  const lifetime = { notBeforeMs: 0, notAfterMs: 4e12 }
  const authorityPem = await crypto.makeAuthority(authority, { clusterId, ...lifetime })
  const adopted: Greeted[] = []
  const make = async (
    host: string,
    machineId: string,
    member: number,
    known: ReadonlyMap<number, string>,
  ): Promise<Door> => {
    const key = await crypto.generateKey()
    const clock = new SimulatedClock(time, random.fork())
    const certificatePem = await crypto.issueCertificate(
      { certificatePem: authorityPem, key: authority },
      { clusterId, machineId, publicKeySpki: key.publicKeySpki, alternativeNames: [], ...lifetime },
    )
    const identity = { clusterId, privateKeyPem: key.privateKeyPem, certificatePem, authorityPem }
    return new Door({
      streams: new SimulatedStreams(board, { host, clock, identity, isAllowed: () => true }),
      clock,
      log: sinkLog(() => undefined),
      clusterId,
      machineId,
      featureLevel: 1,
      memberId: () => member as MemberId,
      machineOf: (id) => known.get(id),
      methods: noMethods,
      onRaftStream: (greeted) => adopted.push(greeted),
    })
  }
  const server = await make(address.host, a, 1, options.known)
  const client = await make('10.0.0.2', b, options.claims, options.knownToDialer ?? new Map())
  await time.runUntilSettled(server.listen(address), 100)
  const dial = (): Promise<Greeted> =>
    time.runUntilSettled(client.raftStreamTo(address, 'control', memberId(1)), 5000)
  return { dial, adopted, time }
}

t.test('a machine speaks for its own member', async (t) => {
  const { dial, adopted } = await meet({ claims: 2, known: new Map([[2, b]]) })
  t.equal((await dial()).hello.memberId, 1)
  t.match(adopted, [{ hello: { memberId: 2, machineId: b } }])
})

t.test('a listed machine that says it is another machine’s member is turned away', async (t) => {
  const { dial, adopted } = await meet({ claims: 3, known: new Map([[3, 'd'.repeat(32)]]) })
  await t.rejects(dial())
  t.equal(adopted.length, 0)
})

t.test('whoever dials finds out too that another machine answers for the member', async (t) => {
  const knownToDialer = new Map([[1, 'd'.repeat(32)]])
  const { dial } = await meet({ claims: 2, known: new Map(), knownToDialer })
  await t.rejects(dial(), { message: /member 1 is of machine d+, not of a+/ })
})

t.test('a member that nobody has told of yet may be the next leader: it is heard', async (t) => {
  const { dial, adopted } = await meet({ claims: 9, known: new Map([[1, a]]) })
  await dial()
  t.equal(adopted.length, 1)
})
