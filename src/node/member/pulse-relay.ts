/**
 * The voter's part in liveness: hears agents, keeps its table, passes pulses on to the leader in
 * one frame every 50 ms, and gives the leader's verdicts back.
 */
import { describeError, JangadaError } from '../../base/errors.ts'
import { isMachineId, type MachineId, noMember } from '../../base/ids.ts'
import { maxPulsingMachines, type PulseAge, PulseTable } from '../../core/liveness/pulse-table.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { CallContext, CallMethods } from '../wire/calls.ts'
import type { Door } from '../wire/door.ts'
import type { MemberStore } from './member-store.ts'
import { checkPulse, checkRelay, wordOf } from './pulse-types.ts'
import type { Pulse, PulseAnswer, RelayAnswer, RelayedPulse } from './pulse-types.ts'

const relayEveryMs = 50
/** An agent sends its next pulse long before. */
const relayTimeoutMs = 1000
/** Older news says nothing about who lives. */
const tableWindowMs = 60_000
/**
 * An agent that ended without a word is waited for this long: longer than it takes to start again
 * on a busy machine, whose containers run on all the while.
 */
const crashSilenceMs = 10_000
/** Pulses waiting for the next frame; more are dropped, and the agents send again. */
const maxWaiting = 4096

/** The leader's part: see `controllers/liveness`. */
export type LeaderJudge = (pulses: readonly RelayedPulse[]) => Promise<RelayAnswer>

interface Waiting {
  readonly machine: MachineId
  readonly heardAtMs: number
  readonly pulse: Pulse
  readonly resolve: (answer: PulseAnswer) => void
  readonly reject: (error: Error) => void
}

export interface PulseRelayOptions {
  readonly store: () => MemberStore | undefined
  readonly door: () => Door
  readonly clock: Clock
  readonly log: Log
  /** Undefined while this member does not lead. */
  readonly judge: () => LeaderJudge | undefined
}

export class PulseRelay {
  readonly table = new PulseTable()
  readonly #options: PulseRelayOptions
  #waiting: Waiting[] = []
  /** The last pulse of each agent that has not said that it ends. */
  readonly #lastPulses = new Map<MachineId, { readonly pulse: Pulse; readonly atMs: number }>()
  #timer: Timer | undefined

  constructor(options: PulseRelayOptions) {
    this.#options = options
  }

  methods(): CallMethods {
    return {
      calls: new Map<string, (body: unknown, context: CallContext) => Promise<unknown>>([
        ['pulse.send', (body, context) => this.hear(context.peer.machineId, checkPulse(body))],
        ['pulse.relay', (body) => this.#judged(checkRelay(body).pulses)],
        ['pulse.table', () => Promise.resolve({ ages: this.ages() })],
      ]),
      feeds: new Map(),
    }
  }

  /** An agent's pulse, told by itself; its identity is what its certificate says. */
  hear(machine: string, pulse: Pulse): Promise<PulseAnswer> {
    if (this.#options.store() === undefined) return Promise.reject(notVoter())
    if (!isMachineId(machine) || this.#waiting.length >= maxWaiting) {
      return Promise.reject(new JangadaError('JGD_OVERLOADED', 'too many pulses wait here'))
    }
    const heardAtMs = this.#options.clock.monotonicMs()
    this.table.heard(machine, heardAtMs, wordOf(pulse, heardAtMs))
    this.#noteLast(machine, pulse, heardAtMs)
    if (this.#timer === undefined) {
      this.#timer = this.#options.clock.after(relayEveryMs, () => {
        this.#timer = undefined
        void this.#relay()
      })
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ machine, heardAtMs, pulse, resolve, reject })
    })
  }

  /**
   * The connection that an agent's pulses come by was ended by its own machine, which is therefore
   * there. If the agent did not say that it ends, it says goodbye for it: whoever supervises it
   * starts it again, and nothing that runs there is moved meanwhile. A machine that loses its power
   * ends no connection. An agent that lives sends a later pulse, which takes this one back.
   */
  ended(machine: string): void {
    if (!isMachineId(machine)) return
    const last = this.#lastPulses.get(machine)
    this.#lastPulses.delete(machine)
    const { clock, log } = this.#options
    if (last?.pulse.place === undefined) return
    if (clock.monotonicMs() - last.atMs > crashSilenceMs) return
    log.info('an agent ended without a word; its machine is waited for', { machine })
    const { run, sequence } = last.pulse.place
    const place = { run, sequence: sequence + 1 }
    const farewell = { ...last.pulse, place, silentForMs: crashSilenceMs, reports: [] }
    // Nobody waits for the verdict.
    this.hear(machine, farewell).catch(() => undefined)
  }

  #noteLast(machine: MachineId, pulse: Pulse, atMs: number): void {
    this.#lastPulses.delete(machine)
    if (pulse.ends === true || pulse.silentForMs > 0) return
    this.#lastPulses.set(machine, { pulse: { ...pulse, reports: [] }, atMs })
    if (this.#lastPulses.size <= maxPulsingMachines) return
    const oldest = this.#lastPulses.keys().next()
    if (oldest.done !== true) this.#lastPulses.delete(oldest.value)
  }

  ages(): PulseAge[] {
    return this.table.ages(this.#options.clock.monotonicMs(), tableWindowMs)
  }

  async #relay(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const nowMs = this.#options.clock.monotonicMs()
    const pulses = waiting.map(({ machine, heardAtMs, pulse }) => ({
      machine,
      ageMs: nowMs - heardAtMs,
      pulse,
    }))
    try {
      const { term, verdicts } = await this.#toLeader(pulses)
      waiting.forEach(({ resolve, reject }, at) => {
        const verdict = verdicts[at]
        if (verdict === undefined) reject(new JangadaError('JGD_INTERNAL', 'no verdict'))
        else resolve({ term, verdict })
      })
    } catch (error) {
      this.#options.log.debug('pulses were not judged', { cause: describeError(error) })
      for (const { reject } of waiting) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
  }

  async #toLeader(pulses: readonly RelayedPulse[]): Promise<RelayAnswer> {
    const store = this.#options.store()
    if (store === undefined) throw notVoter()
    const { leader, role } = store.member.leadership
    if (role === 'leader') return this.#judged(pulses)
    const address = leader === noMember ? undefined : store.addressOf(leader)
    if (address === undefined) throw new JangadaError('JGD_NOT_LEADER', 'no leader is known')
    const calls = await this.#options.door().callsTo(address)
    return (await calls.call('pulse.relay', { pulses }, relayTimeoutMs)) as RelayAnswer
  }

  #judged(pulses: readonly RelayedPulse[]): Promise<RelayAnswer> {
    const judge = this.#options.judge()
    if (judge === undefined) {
      return Promise.reject(new JangadaError('JGD_NOT_LEADER', 'this member does not lead'))
    }
    return judge(pulses)
  }
}

const notVoter = (): JangadaError =>
  new JangadaError('JGD_UNREACHABLE', 'this machine is no member; send pulses to voters')
