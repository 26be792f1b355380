/** A snapshot on its way to another member, over connections that break. */
import t from 'tap'
import { concat } from '../../../src/base/bytes.ts'
import { crc32 } from '../../../src/base/crc32.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { index, memberId, noMember, term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { Session, SnapshotMessage } from '../../../src/core/raft/types.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { Member } from '../../../src/node/member/member.ts'
import { sendSnapshot, snapshotMethods } from '../../../src/node/member/snapshot-transfer.ts'
import { Snapshots } from '../../../src/node/member/snapshots.ts'
import { walLog } from '../../../src/node/member/wal-log.ts'
import { Wal } from '../../../src/node/wal/wal.ts'
import type { CallStream } from '../../../src/node/wire/calls.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { sinkLog } from '../../sim/quiet.ts'
import { identity, newDisk, options, snapshotAt } from '../wal/fixture.ts'

const pieceBytes = 1000
const pieces: Uint8Array[] = Array.from({ length: 6 }, (_, at) =>
  new Uint8Array(pieceBytes).fill(at + 1),
)
const otherPieces: Uint8Array[] = pieces.map((piece) => piece.map((byte) => byte + 100))
const message: SnapshotMessage = {
  kind: 'snapshot',
  from: memberId(1),
  to: identity.memberId,
  term: term(3),
  session: 1 as Session,
  snapshot: snapshotAt(40, 2),
}

const { kind: _kind, ...naming } = message
const peer = { keyHash: '', machineId: '', clusterId: '', remoteAddress: '' }

/** How a connection ends: at which call, counted from 1, and whether that call still arrived. */
interface Break {
  readonly call: number
  readonly arrives: boolean
}

/** As far as `Snapshots` asks. */
const storeAt = (applied: number): Store =>
  Object.defineProperty(new Store(), 'appliedIndex', { value: index(applied) })

/** A member that takes snapshots, and the way to it. */
async function receiver(applied = () => 0) {
  const disk = newDisk().mount()
  const { wal } = await Wal.create(disk, identity, options())
  const log = walLog(wal)
  const snapshots = new Snapshots(
    { log, logger: sinkLog(() => undefined) },
    {
      store: () => storeAt(applied()),
      nameOfState: () => undefined,
      neededFrom: () => undefined,
      onWritten: () => undefined,
      onFatal: (reason) => t.fail(reason),
    },
  )
  const heard: unknown[] = []
  const status = { term: term(0), leader: noMember, isRestoring: true }
  const member = {
    id: identity.memberId,
    snapshots,
    status: () => status,
    receive: (all: unknown[]) => heard.push(...all),
  }
  const machines = ['', 'leader', 'another']
  const { calls } = snapshotMethods(
    () => member as unknown as Member,
    (id) => machines[id],
  )
  const made: { method: string; body: Record<string, unknown> }[] = []
  const arrive = async (method: string, body: unknown, from = 'leader'): Promise<unknown> => {
    made.push({ method, body: body as Record<string, unknown> })
    return calls.get(method)!(structuredClone(body), { peer: { ...peer, machineId: from } })
  }
  const files = () => disk.list('wal/snapshots')
  /** One connection after the other, each with its own end; the last one holds. */
  const dial = (breaks: readonly Break[], answer = arrive) => {
    const left = [...breaks]
    return async (): Promise<CallStream> => {
      const end = left.shift()
      let count = 0
      const call = async (method: string, body: unknown): Promise<unknown> => {
        count += 1
        if (end === undefined || count < end.call) return answer(method, body)
        if (count === end.call && end.arrives) await answer(method, body)
        throw new JangadaError('JGD_OUTCOME_UNKNOWN', 'the connection broke')
      }
      return { call } as unknown as CallStream
    }
  }
  /** The pieces that it took, as it would install them. */
  const content = async (): Promise<Uint8Array> => {
    await log.append({ entries: [], snapshot: message.snapshot, mustSync: true })
    const read: Uint8Array[] = []
    for await (const piece of log.readSnapshot(message.snapshot)) read.push(piece)
    return concat(read)
  }
  const sent = () => made.filter(({ method }) => method === 'snapshot.piece').length
  return { wal, status, snapshots, arrive, dial, made, sent, heard, content, files }
}

async function* each(list: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* list
}

/** Sends in simulated time; resolves to the error's code, or to undefined. */
async function send(
  dial: () => Promise<CallStream>,
  { list = pieces, isWanted = true } = {},
): Promise<string | undefined> {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const clock = new SimulatedClock(time, random.fork())
  const sending = { message, dial, read: () => each(list), isWanted: () => isWanted, clock }
  const outcome = sendSnapshot(sending).then(
    () => undefined,
    (error: unknown) => (error as JangadaError).code,
  )
  return time.runUntilSettled(outcome, 60_000)
}

t.test('after a break only what is missing is sent', async (t) => {
  for (const arrives of [true, false]) {
    const to = await receiver()
    t.equal(await send(to.dial([{ call: 4, arrives }])), undefined)
    t.equal(to.sent(), pieces.length, arrives ? 'only an answer was lost' : 'a piece was lost')
    t.same(await to.content(), concat(pieces))
    t.match(to.heard, [{ kind: 'snapshot', from: 1, snapshot: { index: 40 } }])
  }
})

t.test('pieces may be cut elsewhere the next time, as by another leader', async (t) => {
  const to = await receiver()
  const cut = { call: 4, arrives: false }
  t.equal(await send(to.dial([cut]), { isWanted: false }), 'JGD_OUTCOME_UNKNOWN')
  const whole = concat(pieces)
  const list = [0, 1, 2, 3].map((at) => whole.subarray(at * 1700, (at + 1) * 1700))
  t.equal(await send(to.dial([]), { list }), undefined)
  const last = to.made.filter(({ method }) => method === 'snapshot.piece').slice(2)
  t.same(
    last.map(({ body }) => body['at']),
    [2000, 3400, 5100],
    'from the byte on at which it broke off',
  )
  t.same(await to.content(), whole)
})

t.test('of another snapshot with the same name nothing is kept', async (t) => {
  const to = await receiver()
  const cut = { call: 4, arrives: false }
  await send(to.dial([cut]), { list: otherPieces, isWanted: false })
  t.equal(await send(to.dial([])), undefined)
  t.same(await to.content(), concat(pieces))
  const shorter = await receiver()
  await send(shorter.dial([{ call: 6, arrives: true }]), { isWanted: false })
  t.equal(await send(shorter.dial([]), { list: pieces.slice(0, 2) }), undefined)
  t.same(await shorter.content(), concat(pieces.slice(0, 2)), 'nor of a longer one')
})

t.test('a piece of a connection given up comes late, and is refused', async (t) => {
  const to = await receiver()
  await send(to.dial([{ call: 3, arrives: true }]), { isWanted: false })
  const late = { index: 40, at: 1000, piece: pieces[1] }
  await t.rejects(to.arrive('snapshot.piece', late), { code: 'JGD_CONFLICT' })
  t.equal(await send(to.dial([])), undefined)
  t.same(await to.content(), concat(pieces))
})

t.test('what is not what was sent is not taken', async (t) => {
  const to = await receiver()
  await send(to.dial([{ call: 8, arrives: false }]), { isWanted: false })
  const end = { ...naming, whole: { bytes: 6000, crc: 1 } }
  await t.rejects(to.arrive('snapshot.end', end), { code: 'JGD_CONFLICT' })
  t.same(to.heard, [])
})

t.test('members a release apart: whole, from the start', async (t) => {
  const to = await receiver()
  const old = async (method: string, body: unknown): Promise<unknown> => {
    await to.arrive(method, { ...(body as object), resume: false })
    return {}
  }
  t.equal(await send(to.dial([{ call: 4, arrives: true }], old)), undefined, 'an older member')
  t.equal(to.sent(), 3 + pieces.length)
  t.same(await to.content(), concat(pieces))

  const from = await receiver()
  await from.arrive('snapshot.begin', naming)
  await from.arrive('snapshot.piece', { index: 40, piece: pieces[0] })
  await from.arrive('snapshot.begin', naming)
  for (const piece of pieces) await from.arrive('snapshot.piece', { index: 40, piece })
  await from.arrive('snapshot.end', naming)
  t.same(await from.content(), concat(pieces), 'an older leader')
})

t.test('a way that breaks again and again is given up; so is what nobody waits for', async (t) => {
  const to = await receiver()
  const always = Array.from({ length: 20 }, () => ({ call: 1, arrives: false }))
  t.equal(await send(to.dial(always)), 'JGD_OUTCOME_UNKNOWN')
  const slow = Array.from({ length: 6 }, () => ({ call: 3, arrives: false }))
  t.equal(await send(to.dial(slow)), undefined, 'a piece each time is progress')
  t.same(await to.content(), concat(pieces))

  const older = await receiver()
  const forgets = async (method: string, body: unknown): Promise<unknown> => {
    await older.arrive(method, { ...(body as object), resume: false })
    return {}
  }
  const same = Array.from({ length: 20 }, () => ({ call: 4, arrives: true }))
  t.equal(await send(older.dial(same, forgets)), 'JGD_OUTCOME_UNKNOWN', 'the same piece is none')
  t.equal(older.sent(), 3 * 6, 'the first time, and five breaks without progress')
})

/** A snapshot at 0 has no file; to ask for one was taken for a disk that fails, and cost the log. */
t.test('a snapshot that nobody can have is refused, and the log goes on', async (t) => {
  const to = await receiver()
  const { config } = message.snapshot
  const named = (more: object): object => ({
    ...naming,
    snapshot: { ...message.snapshot, ...more },
  })
  for (const spoilt of [
    { ...naming, from: 0 },
    { ...naming, to: 0 },
    { ...naming, term: 0 },
    named({ index: 0 }),
    named({ term: 0 }),
    named({ index: 2 ** 60 }),
    named({ term: message.term + 1 }),
    // Who reads these members would find that they cannot be.
    named({ config: { ...config, voters: [] } }),
    named({ config: { ...config, voters: [0, 7] } }),
    named({ config: { ...config, voters: [7, 3] } }),
    named({ config: { ...config, voters: [7, 7] } }),
    named({ config: { ...config, learners: [7] } }),
    named({ config: { ...config, learnersNext: [3] } }),
    named({ config: { ...config, autoLeave: true } }),
  ]) {
    for (const method of ['snapshot.begin', 'snapshot.end']) {
      const answer = to.arrive(method, { ...spoilt, resume: false })
      await t.rejects(answer, { code: 'JGD_BAD_REQUEST' }, JSON.stringify(spoilt))
    }
  }
  await to.arrive('snapshot.begin', naming)
  for (const piece of ['text', { length: 5 }, [1, 2]]) {
    const answer = to.arrive('snapshot.piece', { index: 40, at: 0, piece })
    await t.rejects(answer, { code: 'JGD_BAD_REQUEST' })
  }
  t.equal(to.wal.failure, undefined)
  t.same(to.heard, [])
  t.equal(await send(to.dial([])), undefined)
  t.same(await to.content(), concat(pieces))
})

t.test(
  'a machine sends what its own member leads with, and nothing under another name',
  async (t) => {
    const to = await receiver()
    const piece = { index: 40, at: 0, piece: pieces[0] }
    await t.rejects(to.arrive('snapshot.begin', naming, 'another'), { code: 'JGD_FORBIDDEN' })
    t.same(await to.files(), [], 'nothing was begun')
    await to.arrive('snapshot.begin', naming)
    await t.rejects(to.arrive('snapshot.begin', naming, 'another'), { code: 'JGD_FORBIDDEN' })
    await t.rejects(to.arrive('snapshot.piece', piece, 'another'), { code: 'JGD_CONFLICT' })
    await to.arrive('snapshot.piece', piece)
    const whole = { bytes: pieceBytes, crc: crc32(pieces[0]!) }
    const end = { ...naming, whole }
    await t.rejects(to.arrive('snapshot.end', end, 'another'), { code: 'JGD_FORBIDDEN' })
    const own = { ...end, from: 2 }
    await t.rejects(to.arrive('snapshot.end', own, 'another'), { code: 'JGD_CONFLICT' })
    t.same(to.heard, [])
    await to.arrive('snapshot.end', end)
    t.match(to.heard, [{ kind: 'snapshot', from: 1, term: 3 }], 'whose it was goes on meanwhile')

    const far = await receiver()
    const newer = { ...naming, from: 9 }
    await far.arrive('snapshot.begin', newer, 'new')
    await far.arrive('snapshot.piece', piece, 'new')
    await far.arrive('snapshot.end', { ...newer, whole }, 'new')
    t.match(far.heard, [{ from: 9 }], 'a leader may be known only by what it is about to send')
  },
)

t.test('it ends as it began: no other term, and no other state', async (t) => {
  const to = await receiver()
  await to.arrive('snapshot.begin', naming)
  await to.arrive('snapshot.piece', { index: 40, at: 0, piece: pieces[0] })
  const { snapshot } = message
  const config = { ...snapshot.config, voters: [memberId(6), memberId(7)] }
  for (const other of [
    { ...naming, term: 2 ** 50 },
    { ...naming, term: 2 },
    { ...naming, snapshot: { ...snapshot, index: 41 } },
    { ...naming, snapshot: { ...snapshot, term: 1 } },
    { ...naming, snapshot: { ...snapshot, config } },
  ]) {
    await t.rejects(to.arrive('snapshot.end', other), { code: 'JGD_CONFLICT' })
  }
  t.same(to.heard, [])
  t.equal(to.wal.failure, undefined)

  const changed = { ...naming, snapshot: { ...snapshot, config }, resume: true }
  t.match(await to.arrive('snapshot.begin', changed), { taken: { bytes: 0 } }, 'nor goes on so')
  t.equal(await send(to.dial([])), undefined)
  t.match(to.heard, [{ term: 3, snapshot }])
})

t.test('what consensus does not take is not kept', async (t) => {
  const to = await receiver()
  to.status.isRestoring = false
  t.equal(await send(to.dial([])), undefined)
  t.equal(to.heard.length, 1)
  t.same(await to.files(), [], 'it had caught up by its log meanwhile')
})

t.test('one term has one leader: another that says it leads is not heard', async (t) => {
  const to = await receiver()
  to.status.term = message.term
  for (const leader of [identity.memberId, memberId(2)]) {
    to.status.leader = leader
    await t.rejects(to.arrive('snapshot.begin', naming), { code: 'JGD_CONFLICT' })
    await t.rejects(to.arrive('snapshot.end', naming), { code: 'JGD_CONFLICT' })
  }
  to.status.leader = message.from
  t.equal(await send(to.dial([])), undefined)
  to.status.term = term(2)
  to.status.leader = memberId(2)
  t.equal(await send(to.dial([])), undefined, 'its leader is of an earlier term')
})

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

t.test('what the log has brought meanwhile is waited for no longer', async (t) => {
  let applied = 0
  const to = await receiver(() => applied)
  await send(to.dial([{ call: 4, arrives: true }]), { isWanted: false })
  const parts = async (): Promise<number> =>
    (await to.files()).filter((name) => name.endsWith('.part')).length
  t.equal(await parts(), 1)
  applied = 39
  to.snapshots.consider(0)
  await turn()
  t.equal(await parts(), 1, 'it would still bring something')
  applied = 40
  to.snapshots.consider(0)
  await turn()
  t.equal(await parts(), 0)
  t.equal(await send(to.dial([])), undefined, 'and what comes later is taken')
})

t.test('a member that ends leaves nothing of a snapshot behind', async (t) => {
  const to = await receiver()
  await send(to.dial([{ call: 4, arrives: true }]), { isWanted: false })
  await to.snapshots.stop()
  t.same(
    (await to.files()).filter((name) => name.endsWith('.part')),
    [],
  )
})
