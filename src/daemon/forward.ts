/** What any node answers by asking another: enrolment, unit output, and who leads. */
import { utf8 } from '../base/bytes.ts'
import { isJangadaError, JangadaError } from '../base/errors.ts'
import { type MachineId, noMember } from '../base/ids.ts'
import { machines } from '../core/records/keyspace.ts'
import type { MachineRecord } from '../core/records/schemas.ts'
import { checkUsage, type UnitUsage } from '../node/agent/usage.ts'
import type { ClusterCore } from '../node/cluster-core.ts'
import { enrol } from '../node/enrol/enrol.ts'
import { renewCertificate } from '../node/enrol/issue.ts'
import {
  type EnrolAnswer,
  type EnrolRequest,
  isEnrolAnswer,
  isEnrolRequest,
  isRenewRequest,
  type RenewRequest,
} from '../node/enrol/messages.ts'
import type { UnitLogs } from '../node/api/context.ts'
import { noQuorum } from '../node/member/errors.ts'
import { SnapshotSaver } from '../node/member/snapshot-save.ts'
import type { CallMethods } from '../node/wire/calls.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { PeerIdentity } from '../ports/streams.ts'

const enrolTimeoutMs = 8000
/** Of which the machine takes a second to look twice. */
const usageTimeoutMs = 6000
const transferWaitMs = 3000
const transferLookMs = 20

const malformed = (): JangadaError =>
  new JangadaError('JGD_BAD_REQUEST', 'the call has not the shape of its method')

export interface ForwarderOptions {
  readonly core: () => ClusterCore
  readonly clock: Clock
  readonly peerPort: number
  readonly machineId: MachineId
  /** This machine's own agent. */
  readonly ownLogs: UnitLogs
  readonly ownUsage: () => Promise<readonly UnitUsage[]>
}

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #saver: SnapshotSaver

  constructor(options: ForwarderOptions) {
    this.#options = options
    this.#saver = new SnapshotSaver(() => options.core().enrol.clusterId, options.clock)
  }

  /** Answered to other machines: they ask when they do not hold the CA's key. */
  methods(): CallMethods {
    return {
      calls: new Map<string, (body: unknown) => Promise<unknown>>([
        [
          'enrol.ask',
          (body) => {
            const { request, remoteAddress } = (body ?? {}) as Record<string, unknown>
            if (!isEnrolRequest(request) || typeof remoteAddress !== 'string') throw malformed()
            return enrol(this.#options.core().enrol, request, remoteAddress)
          },
        ],
        [
          'enrol.renew',
          (body) => {
            const { request, peer } = (body ?? {}) as Record<string, unknown>
            if (!isRenewRequest(request) || !isPeer(peer)) throw malformed()
            return renewCertificate(this.#options.core().enrol, peer, request)
          },
        ],
      ]),
      feeds: new Map([
        [
          'store.save',
          (_body: unknown, _context: unknown, signal: AbortSignal) => this.#save(signal),
        ],
      ]),
    }
  }

  /** From this machine's own copy, or from the first member that gives one. */
  async *saveSnapshot(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const core = this.#options.core()
    if (this.#hasCopy()) {
      yield* this.#save(signal)
      return
    }
    for (const { id, address } of core.knownMembers()) {
      if (id === core.memberId) continue
      let begun = false
      try {
        const calls = await core.door.callsTo(address)
        for await (const item of calls.feed('store.save', {}, signal)) {
          if (!(item instanceof Uint8Array)) throw malformed()
          begun = true
          yield item
        }
        return
      } catch (error) {
        if (begun || signal.aborted) throw error
      }
    }
    throw new JangadaError('JGD_NO_QUORUM', 'no member gave a snapshot', {
      hint: 'see "jangada status" for the members',
    })
  }

  #hasCopy(): boolean {
    const own = this.#options.core().member
    return own !== undefined && own.member.leadership.role !== 'learner'
  }

  #save(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const own = this.#options.core().member
    if (own !== undefined && this.#hasCopy()) return this.#saver.save(own, signal)
    throw new JangadaError('JGD_UNREACHABLE', 'this machine has no copy of the state')
  }

  async enrol(request: EnrolRequest, remoteAddress: string): Promise<EnrolAnswer> {
    const answer = await this.#here(
      () => enrol(this.#options.core().enrol, request, remoteAddress),
      'enrol.ask',
      { request, remoteAddress },
    )
    if (!isEnrolAnswer(answer)) throw malformed()
    return answer
  }

  async renew(peer: PeerIdentity, request: RenewRequest): Promise<{ certificatePem: string }> {
    const answer = await this.#here(
      () => renewCertificate(this.#options.core().enrol, peer, request),
      'enrol.renew',
      { peer, request },
    )
    const { certificatePem } = (answer ?? {}) as { certificatePem?: unknown }
    if (typeof certificatePem !== 'string') throw malformed()
    return { certificatePem }
  }

  /** See `UnitLogs`. */
  readonly unitLogs: UnitLogs = (place, options, signal) =>
    place.machine === this.#options.machineId
      ? this.#options.ownLogs(place, options, signal)
      : this.#remoteLogs(place, options, signal)

  /** See `ApiContext`. */
  async unitUsage(machine: MachineId): Promise<readonly UnitUsage[]> {
    if (machine === this.#options.machineId) return this.#options.ownUsage()
    const { record, address } = await this.#placeOf(machine)
    try {
      const calls = await this.#options.core().door.callsTo(address)
      return checkUsage(await calls.call('agent.usage', {}, usageTimeoutMs))
    } catch (error) {
      throw awayOr(error, record, 'see "jangada machines"')
    }
  }

  async transferLeader(to: MachineId): Promise<void> {
    const core = this.#options.core()
    const target = core.knownMembers().find(({ machineId }) => machineId === to)
    if (target === undefined) {
      throw new JangadaError('JGD_CONFLICT', 'only a voter can lead, and that machine is none', {
        hint: 'see "jangada status" for the members',
      })
    }
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + transferWaitMs
    for (;;) {
      const view = await core.store.view()
      if (view.leader === target.id) return
      if (clock.monotonicMs() >= deadlineMs) break
      if (view.leader !== undefined && view.leader !== noMember) {
        // Who led when we looked may have handed over since: the next look finds the new one.
        await this.#askLeader(view.leader, target.id).catch((error: unknown) => {
          if (!isJangadaError(error, 'JGD_NOT_LEADER')) throw error
        })
      }
      await sleep(clock, transferLookMs)
    }
    const { leader } = await core.store.view()
    if (leader === undefined || leader === noMember) throw noQuorum()
    throw new JangadaError('JGD_NO_QUORUM', 'leadership did not move in time', {
      hint: 'the machine must be up and its log close to the leader’s; try again',
    })
  }

  async #askLeader(leader: number, target: number): Promise<void> {
    const core = this.#options.core()
    if (core.memberId === leader) {
      core.transferTo(target as typeof noMember)
      return
    }
    const address = core.knownMembers().find(({ id }) => id === leader)?.address
    if (address === undefined) return
    const calls = await core.door.callsTo(address)
    await calls.call('leader.transfer', { to: target }, enrolTimeoutMs)
  }

  /** Here when this machine holds the CA's key; otherwise the members are asked in turn. */
  async #here(
    own: () => Promise<unknown>,
    method: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    let last: unknown
    try {
      return await own()
    } catch (error) {
      if (!isJangadaError(error, 'JGD_NOT_LEADER')) throw error
      last = error
    }
    const core = this.#options.core()
    for (const { id, address } of core.knownMembers()) {
      if (id === core.memberId) continue
      try {
        const calls = await core.door.callsTo(address)
        return await calls.call(method, body, enrolTimeoutMs)
      } catch (error) {
        last = error
        const mayTryNext =
          isJangadaError(error, 'JGD_NOT_LEADER') || isJangadaError(error, 'JGD_UNREACHABLE')
        if (!mayTryNext) throw error
      }
    }
    throw last
  }

  async *#remoteLogs(
    place: Parameters<UnitLogs>[0],
    options: Parameters<UnitLogs>[1],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { record, address } = await this.#placeOf(place.machine)
    try {
      const calls = await this.#options.core().door.callsTo(address)
      for await (const item of calls.feed('agent.logs', { unit: place.unit, ...options }, signal)) {
        if (typeof item === 'string') yield utf8(item)
      }
    } catch (error) {
      throw awayOr(error, record, '"jangada units" says where the unit runs now')
    }
  }

  /** Rejects with JGD_NOT_FOUND. */
  async #placeOf(machine: MachineId) {
    const { store } = this.#options.core()
    const { items } = await store.range({ key: machines.key(machine) }, 'local')
    const record = items[0] === undefined ? undefined : machines.read(items[0])?.value
    if (record === undefined) {
      throw new JangadaError('JGD_NOT_FOUND', `machine ${machine} is not in the cluster`)
    }
    return { record, address: { host: record.address, port: this.#options.peerPort } }
  }
}

/** Nothing was asked that could have happened or not: the machine is simply away. */
function awayOr(error: unknown, { name, address }: MachineRecord, hint: string): unknown {
  const isAway =
    isJangadaError(error, 'JGD_UNREACHABLE') || isJangadaError(error, 'JGD_OUTCOME_UNKNOWN')
  if (!isAway) return error
  const message = `${name} (${address}) does not answer`
  return new JangadaError('JGD_MACHINE_UNREACHABLE', message, { hint, cause: error })
}

function isPeer(value: unknown): value is PeerIdentity {
  const { keyHash, machineId, clusterId, remoteAddress } = (value ?? {}) as Record<string, unknown>
  return [keyHash, machineId, clusterId, remoteAddress].every((each) => typeof each === 'string')
}
