/**
 * This machine's place in the consensus group: at most one member, which may come (the leader
 * asks for it), and go (it was removed, or its log failed) while the machine goes on.
 *
 * A log that cannot be trusted any more is set aside whole, never repaired by guessing: the
 * machine comes back as a new member, because an old one that has forgotten something could
 * break a promise it made.
 */
import * as Type from 'typebox'
import { toHex } from '../../base/bytes.ts'
import { describeError, isJangadaError, JangadaError } from '../../base/errors.ts'
import { type ClusterId, index, type MemberId, memberId, term } from '../../base/ids.ts'
import { emptyRestoredState } from '../../core/raft/raft.ts'
import type { ConfState, RestoredState } from '../../core/raft/types.ts'
import { Store } from '../../core/store/store.ts'
import { SnapshotRestore } from '../../core/store/snapshot-restore.ts'
import type { Command, Operation } from '../../core/store/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Disk } from '../../ports/disk.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Log } from '../../ports/log.ts'
import type { StreamAddress } from '../../ports/streams.ts'
import { ownMistake, passes, spoils } from '../wal/errors.ts'
import type { WalIdentity } from '../wal/identity.ts'
import { identityOf, type OpenedWal, Wal, type WalOptions } from '../wal/wal.ts'
import type { CallContext, CallMethods, CallStream } from '../wire/calls.ts'
import type { Door } from '../wire/door.ts'
import type { Greeted } from '../wire/handshake.ts'
import { RaftTransport } from '../wire/raft-transport.ts'
import type { KnownMember } from './directory.ts'
import { Claim } from './claim.ts'
import { asideNext, setLogAside, walDirectory } from './log-directory.ts'
import { Member } from './member.ts'
import type { Failed, Leadership } from './member-options.ts'
import { MemberStore, type MemberStoreOptions } from './member-store.ts'
import type { Committed } from './proposals.ts'
import { sendSnapshot, snapshotMethods } from './snapshot-transfer.ts'
import { unreadable } from './snapshots.ts'
import { walLog } from './wal-log.ts'
import { checker } from './wire-schemas.ts'

/** A log whose disk has no room, or takes no writes, is tried again this often. */
const reopenMs = 5000
/** A leader that was heard this lately counts as there. */
const leaderHeardMs = 1000

export interface MemberSizes {
  /** At least 1. */
  readonly entriesBetweenSnapshots?: number
  readonly segmentBytes?: number
}

export interface SeatOptions {
  readonly clusterId: ClusterId
  readonly disk: Disk
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  /** For the member and its log; what is left out is as `Member` and `Wal` have it. */
  readonly sizes?: MemberSizes
  readonly door: () => Door
  /** Members as this machine last knew them, for the time before the log tells. */
  readonly knownMembers: () => readonly KnownMember[]
  readonly keeper: MemberStoreOptions['keeper']
  readonly onLeadership: (store: MemberStore, leadership: Leadership) => void
  readonly onCommand: (committed: Committed, command: Command) => void
  /** The member's log failed: the process should end and start again (as a client). */
  readonly onFatal: (reason: string) => void
  /** Bytes of the log that are durable now: one write and one sync. */
  readonly onWritten?: (bytes: number) => void
  /** The member ended by itself and its log is kept in place; the machine goes on without it. */
  readonly onStopped: () => void
}

const checkPrepare = checker(Type.Object({ memberId: Type.Integer({ minimum: 1 }) }))

export class Seat {
  readonly #options: SeatOptions
  #current: { readonly store: MemberStore; readonly transport: RaftTransport } | undefined
  /** Of the member whose log is being read, or kept: this machine's, not at work. */
  readonly #claim: Claim
  /** Settled once nobody is changing the seat. */
  #turn: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()

  constructor(options: SeatOptions) {
    this.#options = options
    this.#claim = new Claim(options.clock)
  }

  get store(): MemberStore | undefined {
    return this.#current?.store
  }

  get memberId(): MemberId {
    return this.#current?.store.member.id ?? this.#claim.member
  }

  /**
   * Takes the seat that the disk remembers, if there is one. Never rejects. Where the disk has no
   * room, or takes no writes, it is tried again until it does.
   */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      if (await this.#open()) void this.#openLater()
    })
  }

  async #openLater(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#closing
    for (let waits = true; waits && !signal.aborted;) {
      await sleep(clock, reopenMs, signal)
      waits = await this.#inTurn(async () => {
        // Meanwhile the leader may have begun another member here.
        if (signal.aborted || this.#current !== undefined) return false
        return this.#open()
      })
    }
  }

  /** True when it is to be tried again. */
  async #open(): Promise<boolean> {
    const { disk, log, clusterId } = this.#options
    let waits = false
    try {
      const identity = await identityOf(disk, walDirectory)
      if (identity === undefined) return false
      if (identity.clusterId !== clusterId) {
        throw new JangadaError('JGD_WAL_FOREIGN', 'the log here is of another cluster')
      }
      this.#claim.begin(identity.memberId)
      const opened = await Wal.open(disk, identity, this.#walOptions())
      for (const repair of opened.repairs) log.warn('the log was repaired', { repair })
      try {
        await this.#sit(opened, identity)
      } catch (error) {
        if (this.#current === undefined) await opened.wal.close().catch(() => undefined)
        throw error
      }
    } catch (thrown) {
      const error = isJangadaError(thrown)
        ? thrown
        : ownMistake('a mistake of Jangada itself while opening the log', thrown)
      // A mistake of our own may be one of the moment, and harms nobody who tries again.
      waits = passes(error) || isJangadaError(error, 'JGD_INTERNAL')
      // What a newer binary wrote, or this one is at fault with, every member finds alike.
      const isSpoilt = spoils(error)
      log.error('this machine goes on without its member', {
        cause: describeError(error),
        code: error.code,
        next: isSpoilt ? asideNext : error.hint,
      })
      if (isSpoilt) await this.#setAside()
    }
    return waits
  }

  adopt(greeted: Greeted): void {
    if (this.#current === undefined) greeted.stream.close()
    else this.#current.transport.adopt(greeted)
  }

  methods(): CallMethods {
    const snapshots = snapshotMethods(
      () => this.#current?.store.member,
      (id) => this.#options.knownMembers().find((known) => known.id === id)?.machineId,
    )
    return {
      calls: new Map<string, (body: unknown, context: CallContext) => Promise<unknown>>([
        ...snapshots.calls,
        [
          'member.prepare',
          (body, { peer }) => {
            const id = memberId(checkPrepare(body).memberId)
            return this.#inTurn(() => this.#prepare(id, peer.machineId))
          },
        ],
      ]),
      feeds: new Map(),
    }
  }

  close(): Promise<void> {
    this.#closing.abort()
    return this.#inTurn(() => this.#close())
  }

  /** The cluster does not count this member any more. */
  leave(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#close()
      await this.#setAside()
    })
  }

  async #close(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    current?.transport.close()
    await current?.store.member.stop()
  }

  /** One change of the seat at a time: each sets logs aside, and must not meet another's. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#turn.then(change)
    this.#turn = changed.catch(() => undefined)
    return changed
  }

  /**
   * The leader gives this machine a member id. Whatever log is here belonged to a member that
   * the leader does not count any more. Ids grow with the log, so one that is not newer than the
   * member here was given by a leader deposed since: its word would end a living voter.
   */
  async #prepare(id: MemberId, asker: string): Promise<{ readonly incarnation: string }> {
    const { disk, clusterId, entropy } = this.#options
    if (id <= this.memberId) {
      throw new JangadaError('JGD_CONFLICT', `this machine runs member ${this.memberId} already`)
    }
    const members = this.#options.knownMembers()
    if (members.length > 0 && !members.some(({ machineId }) => machineId === asker)) {
      throw new JangadaError('JGD_FORBIDDEN', 'only a member may ask a machine to become one')
    }
    if (this.#followsAnother(asker)) {
      throw new JangadaError('JGD_CONFLICT', 'the member here has a leader, and that is not it')
    }
    await this.#close()
    await this.#setAside()
    const incarnation = toHex(entropy.bytes(16))
    const identity: WalIdentity = { clusterId, memberId: id, incarnation }
    const opened = await Wal.create(disk, identity, this.#walOptions())
    await this.#sit({ ...opened, restored: emptyRestoredState }, identity)
    return { incarnation }
  }

  /**
   * Two old voters that came back together after `jangada recover` may lead a cluster of their own,
   * and what they acknowledged must not go because the recovered one asks.
   */
  #followsAnother(asker: string): boolean {
    const store = this.#current?.store
    if (store === undefined || store.member.staleForMs >= leaderHeardMs) return false
    const { leader } = store.member.leadership
    const known = store.knownMembers().find(({ id }) => id === leader)
    return known !== undefined && known.machineId !== asker
  }

  async #sit(opened: OpenedWal, identity: WalIdentity): Promise<void> {
    const { clock, entropy, log, door, knownMembers } = this.#options
    const knownAddress = (other: MemberId): StreamAddress | undefined =>
      knownMembers().find((known) => known.id === other)?.address
    const id = identity.memberId
    const walPort = walLog(opened.wal)
    const store = await restoreStore(
      walPort.readSnapshot(opened.restored.snapshot),
      opened.restored,
    )
    const transport = new RaftTransport({
      door,
      clock,
      log,
      addressOf: (other) => this.#current?.store.addressOf(other) ?? knownAddress(other),
      onMessages: (messages) => member.receive(messages),
      onUnreachable: (other) => member.unreachable(other),
    })
    const member = new Member({
      id,
      restored: opened.restored,
      store,
      log: walPort,
      clock,
      entropy,
      logger: log.child({ member: id }),
      ...this.#options.sizes,
      send: (message) => transport.send(message),
      sendSnapshot: (message, read) => {
        const dial = async (): Promise<CallStream> => {
          const address = memberStore.addressOf(message.to) ?? knownAddress(message.to)
          if (address === undefined) throw new JangadaError('JGD_UNREACHABLE', 'no address known')
          return door().callsTo(address)
        }
        const isWanted = (): boolean =>
          member.leadership.role === 'leader' && member.leadership.term === message.term
        return sendSnapshot({ message, dial, read, isWanted, clock })
      },
      onLeadership: (leadership) => {
        memberStore.leadershipChanged()
        this.#options.onLeadership(memberStore, leadership)
      },
      onCommand: (committed, command) => this.#options.onCommand(committed, command),
      onFatal: (reason, what) => void this.#fail(reason, what),
    })
    const { keeper } = this.#options
    const memberStore = new MemberStore({ member, door, clock, entropy, keeper })
    this.#current = { store: memberStore, transport }
    this.#claim.end()
    log.info('this machine is a member', { member: id, index: store.appliedIndex })
    member.start()
  }

  /**
   * A log is set aside only when it is the log that failed, and not for lack of room. What this
   * binary cannot apply or does wrong, every member does: all of them would put their logs away, and
   * the cluster's state with them.
   */
  async #fail(reason: string, what: Failed): Promise<void> {
    const current = this.#current
    this.#current = undefined
    current?.transport.close()
    if (what === 'state') {
      if (current !== undefined) this.#claim.begin(current.store.member.id)
      this.#options.onStopped()
      return
    }
    if (what === 'log') await this.#setAside()
    this.#options.onFatal(reason)
  }

  #walOptions(): WalOptions {
    const { segmentBytes } = this.#options.sizes ?? {}
    return {
      directory: walDirectory,
      onWritten: this.#options.onWritten,
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
      onFailure: (error) => {
        const { code, hint } = error
        this.#options.log.error('the log failed', { code, cause: describeError(error), next: hint })
      },
    }
  }

  #setAside(): Promise<void> {
    this.#claim.end()
    const { disk, clock, log } = this.#options
    return setLogAside(disk, clock.wallMs(), log)
  }
}

async function restoreStore(
  pieces: AsyncIterable<Uint8Array>,
  restored: RestoredState,
): Promise<Store> {
  if (restored.snapshot.index === 0) return new Store()
  const restore = new SnapshotRestore()
  for await (const piece of pieces) restore.push(piece)
  const finished = restore.finish()
  if (finished.kind === 'restored') return finished.store
  throw unreadable(restored.snapshot, finished)
}

/**
 * Makes the log of a cluster's first member: a snapshot at index 1 whose state is `operations`
 * applied to an empty store, and whose only voter is member 1.
 */
export async function createFirstMember(
  disk: Disk,
  cluster: ClusterId,
  incarnation: string,
  operations: readonly Operation[],
  { segmentBytes }: MemberSizes = {},
): Promise<void> {
  const store = new Store()
  const position = { index: index(1), term: term(1) }
  const transaction = { compare: [], then: operations, otherwise: [] }
  const { result } = store.apply({ kind: 'transaction', transaction }, position)
  if (result.kind !== 'transaction') {
    throw new JangadaError('JGD_INTERNAL', 'the first transaction was refused')
  }
  const identity = { clusterId: cluster, memberId: memberId(1), incarnation }
  let failure: JangadaError | undefined
  const { wal } = await Wal.create(disk, identity, {
    directory: walDirectory,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    onFailure: (error) => {
      failure = error
    },
  })
  await wal.writeSnapshot({ ...position, config: onlyVoter }, store.snapshotChunks())
  await wal.close()
  if (failure !== undefined) throw failure
}

const onlyVoter: ConfState = {
  voters: [memberId(1)],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}
