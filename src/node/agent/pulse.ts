/**
 * The agent's pulse: every P to two voters, one of them not on its own machine. The first leaves
 * as soon as the agent starts, whatever the engine and the store are doing.
 */
import { describeError, isJangadaError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { deadlines } from '../../core/liveness/deadlines.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { Pulse, PulseAnswer } from '../member/pulse-types.ts'
import type { Reports } from './reports.ts'

/** A voter by its machine. */
export interface PulseTarget {
  readonly machine: MachineId
}

/** The way to the voters, from whoever puts the agent together. */
export interface PulseSender {
  /** The voters as far as they are known; in any order. */
  targets(): readonly PulseTarget[]
  /** Rejects, within a second or so, when the voter or its leader does not answer. */
  send(target: PulseTarget, pulse: Pulse): Promise<PulseAnswer>
}

export interface PulserOptions {
  readonly machineId: MachineId
  /** This process of the agent, by a name that no other had. */
  readonly run: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly sender: PulseSender
  readonly reports: Reports
  readonly bootId: () => Promise<string>
  /** The Raft member on this machine; 0 when there is none. */
  readonly memberId: () => number
  /** Machines that pulse: P grows with them. */
  readonly machineCount: () => number
  /** The leader does not know this machine as ready. */
  readonly onRegister: () => void
  /** A pulse that was sent then has been acknowledged. */
  readonly onAcknowledged: (sentMs: number) => void
}

const targetsPerPulse = 2
/** A voter that did not answer is passed over for this long, while there are others. */
const avoidMs = 3_000
/** Unanswered pulses to one voter; the next is not sent to it before one of them is settled. */
const unansweredMax = 4
/** News does not wait for the next pulse, but news that comes at once goes together. */
const newsAfterMs = 20
/** A farewell that is not acknowledged by then is given up. */
const farewellMs = 500

/**
 * Who gets the next pulse: this machine's own voter if there is one, then others in an order that
 * is this machine's own, so that the load is spread; those in `avoided` last.
 */
export function chooseTargets(
  targets: readonly PulseTarget[],
  own: MachineId,
  avoided: (machine: MachineId) => boolean,
): readonly PulseTarget[] {
  const others = targets
    .filter(({ machine }) => machine !== own)
    .toSorted((a, b) => (a.machine < b.machine ? -1 : 1))
  const start = others.length === 0 ? 0 : Number.parseInt(own.slice(-8), 16) % others.length
  const turned = [...others.slice(start), ...others.slice(0, start)]
  const willing = turned.filter(({ machine }) => !avoided(machine))
  const unwilling = turned.filter(({ machine }) => avoided(machine))
  // Records may name two members of this machine, the one before and the one that comes.
  const self = targets.filter(({ machine }) => machine === own).slice(0, 1)
  return [...self, ...willing, ...unwilling].slice(0, targetsPerPulse)
}

export class Pulser {
  readonly #options: PulserOptions
  readonly #avoidUntilMs = new Map<MachineId, number>()
  readonly #unanswered = new Map<MachineId, number>()
  /** The highest term that an answer carried; lower ones are of leaders deposed. */
  #term = 0
  #bootId: string | undefined
  #acknowledgedMs: number | undefined
  /** Ends the pause between two pulses. */
  #wake = new AbortController()
  #isLeaving = false
  #sequence = 0

  constructor(options: PulserOptions) {
    this.#options = options
  }

  /** When the last acknowledged pulse was *sent*, on the monotonic clock: what a fencer counts from. */
  get acknowledgedMs(): number | undefined {
    return this.#acknowledgedMs
  }

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, machineCount } = this.#options
    this.#bootId = await this.#options.bootId()
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true })
    while (!signal.aborted && !this.#isLeaving) {
      void this.#sendAll(this.#targets(), {})
      const { pulseMs } = deadlines(machineCount())
      this.#wake = new AbortController()
      await sleep(clock, pulseMs, this.#wake.signal)
      if (this.#wake.signal.aborted) await sleep(clock, newsAfterMs, signal)
    }
  }

  /** There is news: the next pulse leaves soon. */
  news(): void {
    this.#wake.abort()
  }

  /**
   * Says to every other member that this agent ends, because any of them may lead before it is
   * back, and for how long it will be silent; 0 is for a machine that goes down. Resolves once all
   * have acknowledged it, or gives up.
   */
  async farewell(silentForMs: number): Promise<void> {
    const { sender, machineId, clock } = this.#options
    // Another pulse would say that the machine is there after all.
    this.#isLeaving = true
    const others = sender.targets().filter(({ machine }) => machine !== machineId)
    // However many pulses a slow voter has not answered: there is no next one to tell it by.
    this.#unanswered.clear()
    await Promise.race([
      this.#sendAll(others, { silentForMs, ends: true }),
      sleep(clock, farewellMs),
    ])
  }

  #targets(): readonly PulseTarget[] {
    const { sender, machineId, clock } = this.#options
    const nowMs = clock.monotonicMs()
    const avoided = (machine: MachineId): boolean =>
      (this.#avoidUntilMs.get(machine) ?? -Infinity) > nowMs
    return chooseTargets(sender.targets(), machineId, avoided)
  }

  async #sendAll(targets: readonly PulseTarget[], last: Partial<Pulse>): Promise<void> {
    const { clock, reports, memberId } = this.#options
    const { reports: due, versions } = reports.due(clock.monotonicMs())
    this.#sequence += 1
    const pulse: Pulse = {
      place: { run: this.#options.run, sequence: this.#sequence },
      bootId: this.#bootId ?? '',
      memberId: memberId(),
      silentForMs: 0,
      reports: [...due],
      ...last,
    }
    await Promise.all(targets.map((target) => this.#send(target, pulse, versions)))
  }

  async #send(
    target: PulseTarget,
    pulse: Pulse,
    versions: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { sender, clock, log, metrics } = this.#options
    const { machine } = target
    const unanswered = this.#unanswered.get(machine) ?? 0
    if (unanswered >= unansweredMax) return
    this.#unanswered.set(machine, unanswered + 1)
    const sentMs = clock.monotonicMs()
    try {
      this.#take(await sender.send(target, pulse), versions, sentMs)
      this.#avoidUntilMs.delete(machine)
      metrics.observe('jangada_pulse_ms', clock.monotonicMs() - sentMs)
    } catch (error) {
      metrics.count('jangada_pulses_unacknowledged')
      log.debug('a pulse was not acknowledged', { voter: machine, cause: describeError(error) })
      // A voter without a leader has heard us all the same; only a silent one is passed over.
      const heard =
        isJangadaError(error, 'JGD_NOT_LEADER') || isJangadaError(error, 'JGD_NO_QUORUM')
      if (!heard) this.#avoidUntilMs.set(machine, clock.monotonicMs() + avoidMs)
    } finally {
      const left = (this.#unanswered.get(machine) ?? 1) - 1
      if (left > 0) this.#unanswered.set(machine, left)
      else this.#unanswered.delete(machine)
    }
  }

  #take(answer: PulseAnswer, versions: ReadonlyMap<string, number>, sentMs: number): void {
    const { reports, clock, onRegister, onAcknowledged } = this.#options
    if (answer.term < this.#term) return
    if (answer.term > this.#term) {
      this.#term = answer.term
      // The new leader was not told what the old one was; this pulse it has heard.
      reports.tellAllAgain(clock.monotonicMs())
    }
    reports.told(versions)
    if (answer.verdict === 'register') {
      onRegister()
      return
    }
    this.#acknowledgedMs = Math.max(this.#acknowledgedMs ?? -Infinity, sentMs)
    onAcknowledged(sentMs)
  }
}
