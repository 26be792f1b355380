import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import type { Crypto } from '../../src/ports/crypto.ts'
import { nodeCrypto } from '../../src/platform/crypto.ts'
import { tlsStreams } from '../../src/platform/streams.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { simulatedCrypto } from '../sim/crypto.ts'
import { SimulatedNetwork } from '../sim/network.ts'
import { SimulatedStreams, SimulatedSwitchboard } from '../sim/streams.ts'
import { makeTestCluster, type TestIdentity } from '../platform/test-identities.ts'
import { silentServer } from '../platform/silent-server.ts'
import { streamsContract, type StreamsMachine, type StreamsSide } from './streams.ts'

/** Hands out identities of one cluster, or foreign ones dressed up as its own. */
function identities(crypto: Crypto): (kind: 'ours' | 'foreign') => Promise<TestIdentity> {
  const ours = makeTestCluster(crypto, 'c'.repeat(32))
  const foreign = makeTestCluster(crypto, 'c'.repeat(32))
  let count = 0
  return async (kind) => {
    count += 1
    const machineId = count.toString(16).padStart(32, '0')
    if (kind === 'ours') return (await ours).machine(machineId)
    const identity = await (await foreign).machine(machineId)
    return { ...identity, authorityPem: (await ours).authority.certificatePem }
  }
}

function machineOf(
  identity: TestIdentity,
  host: string,
  makeStreams: (
    isAllowed: (peer: { keyHash: string }) => boolean,
  ) => StreamsMachine['streams'] & { setIdentity(identity: TestIdentity): void },
): StreamsMachine {
  const unlisted = new Set<string>()
  const streams = makeStreams((peer) => !unlisted.has(peer.keyHash))
  return {
    streams,
    host,
    unlisted,
    machineId: identity.machineId,
    keyHash: identity.keyHash,
    renew: async () => {
      const renewed = await identity.renewed()
      streams.setIdentity(renewed)
      return renewed
    },
  }
}

t.test('TLS 1.3 on loopback', async (t) => {
  const makeIdentity = identities(nodeCrypto())
  streamsContract(t, (t): StreamsSide => ({
    run: (promise) => promise,
    silentAddress: () => silentServer(t),
    machine: async (kind) => {
      const identity = await makeIdentity(kind)
      return machineOf(identity, '127.0.0.1', (isAllowed) => tlsStreams({ identity, isAllowed }))
    },
  }))
})

t.test('simulated', async (t) => {
  const random = new SeededRandom(11)
  const makeIdentity = identities(simulatedCrypto(random))
  streamsContract(t, (): StreamsSide => {
    const time = new SimulatedTime(random.fork())
    const board = new SimulatedSwitchboard(new SimulatedNetwork(time, random.fork()))
    const clock = new SimulatedClock(time, random.fork())
    let count = 0
    return {
      run: (promise) => time.runUntilSettled(promise, 60_000),
      silentAddress: async () => {
        board.network.powerOff('dark')
        return { host: 'dark', port: 1 }
      },
      machine: async (kind) => {
        const identity = await makeIdentity(kind)
        count += 1
        const host = `host-${count}`
        return machineOf(identity, host, (isAllowed) => {
          return new SimulatedStreams(board, { host, clock, identity, isAllowed })
        })
      },
    }
  })
})
