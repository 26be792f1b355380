/**
 * The leader's loops, from taking office to leaving it. They begin once this member has applied
 * an entry of its own term, so that none decides from a state that a later entry had changed.
 */
import { describeError } from '../../base/errors.ts'
import type { MachineId, Term } from '../../base/ids.ts'
import type { PulseTable } from '../../core/liveness/pulse-table.ts'
import type { Command, LeaseId } from '../../core/store/types.ts'
import { sleep } from '../../ports/clock.ts'
import type { LeaderJudge } from '../member/pulse-relay.ts'
import type { Door } from '../wire/door.ts'
import type { ControllerContext, Office } from './context.ts'
import { CrashLoops } from './crash-loops.ts'
import { Housekeeping } from './housekeeping.ts'
import { LeaseKeeper } from './leases.ts'
import { LivenessController } from './liveness.ts'
import { PlacementController } from './placement.ts'
import type { QuorumReport } from './quorum-report.ts'
import { QuotaAlarm } from './quota.ts'
import type { UnitRules } from './unit-rules.ts'
import { UnitStates } from './unit-states.ts'
import { VotersController } from './voters.ts'

const barrierRetryMs = 20

export interface OfficeOptions {
  readonly context: ControllerContext
  readonly term: Term
  readonly table: PulseTable
  readonly door: () => Door
  readonly peerPort: number
  readonly rules: UnitRules
  readonly featureLevel: number
  readonly sealFor: (machine: MachineId) => Promise<void>
}

export class LeaderOffice {
  readonly #abort = new AbortController()
  readonly #options: OfficeOptions
  #liveness: LivenessController | undefined
  #leases: LeaseKeeper | undefined
  #voters: VotersController | undefined

  constructor(options: OfficeOptions) {
    this.#options = options
    void this.#takeOffice()
  }

  get term(): Term {
    return this.#options.term
  }

  /** Undefined until the loops run. */
  get judge(): LeaderJudge | undefined {
    const liveness = this.#liveness
    return liveness === undefined ? undefined : (pulses) => liveness.judge(pulses)
  }

  get keepAlive(): ((id: LeaseId) => Promise<boolean>) | undefined {
    const leases = this.#leases
    return leases === undefined ? undefined : (id) => leases.keepAlive(id)
  }

  /** Undefined until the loops run. */
  quorum(): QuorumReport | undefined {
    return this.#voters?.quorum()
  }

  applied(command: Command): void {
    this.#leases?.applied(command)
  }

  leave(): void {
    this.#abort.abort()
    this.#liveness = undefined
    this.#leases = undefined
    this.#voters = undefined
  }

  async #takeOffice(): Promise<void> {
    const { context, term, table, door, peerPort, featureLevel, rules, sealFor } = this.#options
    const { signal } = this.#abort
    const tookOfficeMs = context.clock.monotonicMs()
    while (!signal.aborted) {
      try {
        await context.store.member.barrier()
        break
      } catch (error) {
        context.log.debug('not in office yet', { cause: describeError(error) })
        await sleep(context.clock, barrierRetryMs, signal)
      }
    }
    if (signal.aborted) return
    const office: Office = { term, tookOfficeMs, signal }
    const states = new UnitStates(context, office)
    const crashLoops = new CrashLoops(context, office, rules)
    const liveness = new LivenessController({
      context,
      office,
      table,
      door,
      onReports: (machine, reports) => {
        states.take(machine, reports)
        crashLoops.take(machine, reports)
      },
    })
    this.#liveness = liveness
    this.#leases = new LeaseKeeper(context, office)
    const fencedInMs = (machine: MachineId, graceMs: number): number =>
      liveness.fencedInMs(machine, graceMs)
    new PlacementController(context, office, rules, fencedInMs).start()
    const voters = new VotersController({
      context,
      office,
      door,
      peerPort,
      featureLevel,
      runs: (machine) => liveness.runs(machine),
      forgetRuns: (machine) => liveness.forgetRuns(machine),
      sealFor,
    })
    this.#voters = voters
    voters.start()
    new Housekeeping(context, office).start()
    new QuotaAlarm(context, office).start()
    context.log.info('in office', { term })
  }
}
