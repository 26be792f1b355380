/** What machines hold for units beyond their placements: room until they are gone, and volumes for good. */
import type { MachineId, Revision, UnitName } from '../../base/ids.ts'
import { type Feature, features } from '../../core/records/features.ts'
import { clusterSettings, leaving, volumes } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  ClusterSettingsRecord,
  LeavingRecord,
  PlacementRecord,
  VolumeRecord,
} from '../../core/records/schemas.ts'
import type { SchedulerUnit } from '../../core/scheduler/types.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import { unchanged } from '../enrol/context.ts'
import { type ChangesView, changesOf } from './changes.ts'
import type { ControllerContext, Office } from './context.ts'

export interface Part {
  readonly compare: readonly Compare[]
  readonly then: readonly Operation[]
}

export class Held {
  readonly #context: ControllerContext
  readonly leaving: ChangesView<LeavingRecord, [string, string]>
  readonly volumes: ChangesView<VolumeRecord, [string, string]>
  /** What releases there are decides what is recorded. */
  readonly settings: ChangesView<ClusterSettingsRecord, ['cluster']>
  /** Keys of volumes that this plan has written. */
  readonly #written = new Set<string>()

  constructor(context: ControllerContext, office: Office, changed: () => void) {
    this.#context = context
    this.leaving = changesOf(context, leaving, office, changed)
    this.volumes = changesOf(context, volumes, office, changed)
    this.settings = changesOf(context, clusterSettings, office, changed)
  }

  get isListed(): boolean {
    return [this.leaving, this.volumes, this.settings].every(({ at }) => at !== undefined)
  }

  get records(): {
    readonly leaving: readonly LeavingRecord[]
    readonly volumes: readonly VolumeRecord[]
  } {
    return { leaving: this.leaving.values, volumes: this.volumes.values }
  }

  planBegins(): void {
    this.#written.clear()
  }

  /** The next plan must not miss a volume that this one has made. */
  hasSeen(then: readonly Operation[], revision: Revision): boolean {
    const makes = then.some((each) => each.kind === 'put' && each.key.startsWith(volumes.prefix))
    return !makes || (this.volumes.at ?? 0) >= revision
  }

  left(placement: PlacementRecord): Operation[] {
    return leftBehind(placement, this.#level, this.#context.clock.wallMs())
  }

  /** With the unit's placement: it has its room again, and its volumes are on this machine. */
  placed(unit: UnitName, machine: MachineId, needs: SchedulerUnit['needs'] | undefined): Part {
    const left = this.leaving.get(machine, unit)
    const back: Operation[] = left === undefined ? [] : [{ kind: 'delete', key: left.key }]
    const made = this.#made(unit, machine, needs)
    return { compare: made.compare, then: [...back, ...made.then] }
  }

  /** Volumes of a unit that was placed before volumes were recorded, or has others now. */
  #made(unit: UnitName, machine: MachineId, needs: SchedulerUnit['needs'] | undefined): Part {
    const compare: Compare[] = []
    const then: Operation[] = []
    for (const name of this.#has('volumes') ? (needs?.volumes ?? []) : []) {
      const key = volumes.key(name, machine)
      const seen: Stored<VolumeRecord> | undefined = this.volumes.get(name, machine)
      compare.push(unchanged(key, seen))
      if (seen !== undefined || this.#written.has(key)) continue
      this.#written.add(key)
      const sinceMs = this.#context.clock.wallMs()
      then.push(volumes.put({ v: 1, name, machine, driver: 'local', unit, sinceMs }, name, machine))
    }
    return { compare, then }
  }

  /** Undefined when all its volumes are recorded. */
  missing(
    unit: UnitName,
    machine: MachineId,
    needs: SchedulerUnit['needs'] | undefined,
  ): Part | undefined {
    const made = this.#made(unit, machine, needs)
    return made.then.length === 0 ? undefined : made
  }

  #has(feature: Feature): boolean {
    return this.#level >= features[feature]
  }

  get #level(): number {
    return this.settings.get('cluster')?.value.featureLevel ?? 0
  }
}

/** What the unit has on a machine that it was taken off is held for it until it is gone. */
export function leftBehind(
  { machine, unit, needs, fence }: PlacementRecord,
  featureLevel: number,
  sinceMs: number,
): Operation[] {
  // Who was told to stop under his placement has stopped by now.
  const isOver = needs === undefined || fence?.leaving === true
  if (isOver || featureLevel < features.leaving) return []
  return [leaving.put({ v: 1, unit, machine, needs, sinceMs }, machine, unit)]
}
