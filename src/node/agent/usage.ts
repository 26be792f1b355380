/** What the units of this machine use at this moment, for other machines and the API. */
import * as Type from 'typebox'
import { readLabels } from '../../core/reconcile/labels.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { ContainerUsage } from '../../ports/containers.ts'
import { checker } from '../member/wire-schemas.ts'
import type { CallMethods } from '../wire/calls.ts'
import { engineDown, type LogsContext } from './logs.ts'

/** Between the two looks that a rate is made of. */
const lookApartMs = 1000
/** However many ask, the engine is asked once in this time. */
const freshMs = 2000
/** Containers of one machine that are asked for; what is beyond is left out. */
const containersMax = 1024

const usageSchema = Type.Array(
  Type.Object({
    unit: Type.String({ maxLength: 256 }),
    memoryBytes: Type.Number({ minimum: 0 }),
    /** Processors, over the last second. */
    cpus: Type.Number({ minimum: 0 }),
  }),
  { maxItems: containersMax },
)
export type UnitUsage = Type.Static<typeof usageSchema>[number]
export const checkUsage = checker(usageSchema)

export interface UsageContext extends LogsContext {
  readonly clock: Clock
}

/** `agent.usage`: nothing → `UnitUsage[]`. Rejects with JGD_ENGINE_DOWN. */
export class Usage {
  readonly #context: UsageContext
  #last: { readonly atMs: number; readonly units: Promise<readonly UnitUsage[]> } | undefined

  constructor(context: UsageContext) {
    this.#context = context
  }

  get methods(): CallMethods['calls'] {
    return new Map([['agent.usage', () => this.units()]])
  }

  units(): Promise<readonly UnitUsage[]> {
    const nowMs = this.#context.clock.monotonicMs()
    const last = this.#last
    if (last !== undefined && nowMs - last.atMs < freshMs) return last.units
    const units = this.#look()
    this.#last = { atMs: nowMs, units }
    // Who comes next had better ask again.
    units.catch(() => (this.#last = undefined))
    return units
  }

  async #look(): Promise<readonly UnitUsage[]> {
    const { containers, clock, clusterId, observed } = this.#context
    const seen = observed()
    if (seen === undefined) throw engineDown()
    const units = new Map<string, string>()
    for (const { id, state, labels } of seen) {
      const owner = state === 'running' ? readLabels(labels) : undefined
      if (owner?.clusterId === clusterId && units.size < containersMax) units.set(id, owner.unit)
    }
    const ids = [...units.keys()]
    const before = await containers.usage(ids)
    const beganMs = clock.monotonicMs()
    await sleep(clock, lookApartMs)
    const after = await containers.usage(ids)
    const tookMs = clock.monotonicMs() - beganMs
    return ids.flatMap((id) => {
      const now = after.get(id)
      const unit = units.get(id)
      if (now === undefined || unit === undefined) return []
      const cpus = rateOf(before.get(id), now, tookMs)
      return [{ unit, memoryBytes: now.memoryBytes, cpus }]
    })
  }
}

const rateOf = (before: ContainerUsage | undefined, now: ContainerUsage, tookMs: number): number =>
  before === undefined ? 0 : Math.max(0, now.cpuMs - before.cpuMs) / Math.max(1, tookMs)
