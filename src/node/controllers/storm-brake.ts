/** How many units of lost machines may start elsewhere now: all of them, but when many machines went at once. */
import { describeError } from '../../base/errors.ts'
import { isStorm, Rate, wasStorm } from '../../core/liveness/storm.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import type { ClusterSettingsRecord, MachineRecord } from '../../core/records/schemas.ts'
import { defaults } from '../../core/records/settings.ts'
import type { RecordView } from '../member/follow.ts'
import { type ControllerContext, type Office, putEvent, viewOf } from './context.ts'

export class StormBrake {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #settings: RecordView<ClusterSettingsRecord, ['cluster']>
  /** Present while it holds. */
  #rate: Rate | undefined
  #holdsBack = false
  /** Whether the leader before held somebody back, a new one can tell by the losses alone. */
  #isFirst = true
  #isTold = false
  #lost = { machines: 0, of: 0 }

  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    this.#office = office
    this.#settings = viewOf(context, clusterSettings, office, () => undefined)
  }

  /** Undefined: as many as there are. */
  allowance(machines: readonly MachineRecord[]): number | undefined {
    const { clock } = this.#context
    const known = machines.filter(({ status }) => status !== 'left')
    const lost = known.filter(({ status }) => status === 'lost')
    const lostAtMs = lost.map(({ statusSinceMs }) => statusSinceMs)
    // It holds to the end: what is left when the losses are old would go all at once.
    const isBegun = this.#holdsBack || (this.#isFirst && wasStorm(lostAtMs, known.length))
    if (!isBegun && !isStorm(lostAtMs, known.length, clock.wallMs())) {
      this.#rate = undefined
      this.#isTold = false
      return undefined
    }
    this.#lost = { machines: lost.length, of: known.length }
    const nowMs = clock.monotonicMs()
    this.#rate ??= new Rate(this.#perSecond, nowMs)
    return this.#rate.allowance(this.#perSecond, nowMs)
  }

  took(count: number): void {
    this.#rate?.took(count)
  }

  /** Whether the plan just made leaves somebody waiting for the brake. */
  planned({ holdsBack }: { readonly holdsBack: boolean }): void {
    this.#holdsBack = holdsBack
    this.#isFirst = false
    if (!holdsBack || this.#isTold) return
    this.#isTold = true
    void this.#tell()
  }

  /** Until the next one may go. */
  get waitMs(): number {
    return this.#rate?.waitMs(this.#perSecond) ?? 0
  }

  get #perSecond(): number {
    const settings = this.#settings.get('cluster')?.value
    return settings?.replacementsPerSecond ?? defaults.replacementsPerSecond
  }

  async #tell(): Promise<void> {
    const { store, log } = this.#context
    const { machines, of } = this.#lost
    const message =
      `${machines} of ${of} machines are lost at once: their units start elsewhere at ` +
      `${this.#perSecond} a second, higher priorities first (jangada settings)`
    const event = putEvent(this.#context, {
      kind: 'replacements.braked',
      severity: 'alarm',
      message,
    })
    const { term } = this.#office
    try {
      await store.transact({ compare: [], then: [event], otherwise: [], term })
    } catch (error) {
      log.warn(message, { cause: describeError(error) })
    }
  }
}
