/** Small clusters made by chance, and what happens to them: few names, so that rules meet. */
import * as fc from 'fast-check'
import type { MachineId, UnitName } from '../../../src/base/ids.ts'
import type {
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  SchedulerVolume,
  Snapshot,
} from '../../../src/core/scheduler/types.ts'
import { gib, id, machine, unit } from './fixture.ts'

const names = [1, 2, 3, 4].flatMap((n) => [
  `web@${n}.service`,
  `db@${n}.service`,
  `job${n}.service`,
])
const patterns = ['web@*', 'db@*', 'web@1*', 'job1.service', 'job*', 'db@2.service']
const machinesMax = 6
const volumeNames = ['data', 'logs']

const few = <T>(items: readonly T[]): fc.Arbitrary<T[]> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<T[]>([]) },
    { weight: 1, arbitrary: fc.subarray([...items], { minLength: 1, maxLength: 2 }) },
  )
const seldom = <T>(value: fc.Arbitrary<T>, otherwise: T): fc.Arbitrary<T> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value })

export const aMachine: fc.Arbitrary<SchedulerMachine> = fc
  .record({
    n: fc.integer({ min: 1, max: machinesMax }),
    zone: fc.constantFrom('a', 'b', 'c'),
    disk: fc.constantFrom({ disk: 'ssd' }, {}),
    status: seldom(fc.constant<'ready' | 'lost'>('lost'), 'ready'),
    drain: seldom(fc.constantFrom<SchedulerMachine['drain']>('replacing', 'now'), 'none'),
    memoryGib: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ n, zone, disk, status, drain, memoryGib }) => ({
    ...machine(n, { zone, ...disk }, status, drain),
    capacity: { memoryBytes: memoryGib * gib, nanoCpus: 2e9 },
  }))

export const aUnit: fc.Arbitrary<SchedulerUnit> = fc
  .record({
    name: fc.constantFrom(...names),
    wanted: seldom(fc.constant(false), true),
    machineId: seldom<string | undefined>(
      fc.oneof(fc.integer({ min: 1, max: 3 }).map(id), fc.constant('00000000')),
      undefined,
    ),
    global: seldom(fc.constant(true), false),
    machineOf: few(names),
    conflicts: few(patterns),
    replaces: few(patterns),
    metadata: fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.constantFrom({ disk: ['ssd'] }, { zone: ['a', 'b'] }) },
    ),
    spread: few(['zone', 'disk']),
    prefer: few([
      { key: 'zone', value: 'a', weight: 50 },
      { key: 'disk', value: 'ssd', weight: -20 },
    ]),
    strategy: seldom<'spread' | 'pack'>(fc.constant('pack'), 'spread'),
    priority: fc.constantFrom(30, 50, 50, 70),
    fencing: seldom<'keep' | 'stop'>(fc.constant('stop'), 'keep'),
    minAvailable: fc.constantFrom(0, 0, 0, 1, 2),
    volumes: few(volumeNames),
    memoryGib: fc.constantFrom(0, 0, 1, 2),
    ports: few([
      { port: '80/tcp', ip: '' },
      { port: '81/tcp', ip: '10.0.0.1' },
    ]),
    crashes: seldom<SchedulerUnit['crashes']>(
      fc.record({
        hold: fc.constantFrom('none', 'pause', 'parked'),
        failedOn: fc.integer({ min: 1, max: 3 }).map((n) => new Map([[id(n), n]])),
      }),
      undefined,
    ),
  })
  .map(({ name, wanted, memoryGib, ports, volumes, crashes, ...rules }) => ({
    ...unit(name, rules, wanted, { memoryBytes: memoryGib * gib, ports, volumes }),
    ...(crashes !== undefined && { crashes }),
  }))

const aPlacement: fc.Arbitrary<SchedulerPlacement> = fc
  .record({
    name: fc.constantFrom(...names),
    n: fc.integer({ min: 1, max: machinesMax }),
    moves: seldom(fc.constant(true), false),
    fence: seldom<SchedulerPlacement['fence']>(
      fc.record({ isLeaving: fc.boolean(), isOver: fc.boolean() }),
      undefined,
    ),
  })
  .map(({ name, n, moves, fence }) => ({
    ...{ unit: name as UnitName, machine: id(n) },
    ...(moves && { moves }),
    ...(fence !== undefined && { fence }),
  }))

export type Happening =
  | { readonly kind: 'machine'; readonly machine: SchedulerMachine }
  | { readonly kind: 'machineGone'; readonly machine: MachineId }
  | { readonly kind: 'unit'; readonly unit: SchedulerUnit }
  | { readonly kind: 'unitGone'; readonly unit: UnitName }
  /** Somebody else writes it, or takes it away. */
  | { readonly kind: 'placement' | 'placementGone'; readonly placement: SchedulerPlacement }
  | { readonly kind: 'runs' | 'rests' | 'ended'; readonly placement: SchedulerPlacement }
  | { readonly kind: 'volume' | 'volumeGone'; readonly volume: SchedulerVolume }
  /** So much of the plan is committed, and of it so many units of lost machines move. */
  | { readonly kind: 'plan'; readonly part: number; readonly movesMax: number | undefined }

const placement = fc.tuple(aPlacement)
export const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: aMachine.map((each) => ({ kind: 'machine' as const, machine: each })) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: machinesMax })
        .map((n) => ({ kind: 'machineGone' as const, machine: id(n) })),
    },
    { weight: 6, arbitrary: aUnit.map((each) => ({ kind: 'unit' as const, unit: each })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(...names)
        .map((name) => ({ kind: 'unitGone' as const, unit: name as UnitName })),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          fc.constantFrom(
            'placement' as const,
            'placementGone' as const,
            'runs' as const,
            'rests' as const,
            'ended' as const,
          ),
          placement,
        )
        .map(([kind, [each]]) => ({ kind, placement: each })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.constantFrom('volume' as const, 'volumeGone' as const),
          fc.constantFrom(...volumeNames),
          fc.integer({ min: 1, max: machinesMax }).map(id),
        )
        .map(([kind, name, at]) => ({ kind, volume: { name, machine: at } })),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('plan' as const),
        part: fc.constantFrom(0, 0.5, 1, 1, 1),
        movesMax: seldom<number | undefined>(fc.integer({ min: 0, max: 2 }), undefined),
      }),
    },
  ),
  { minLength: 12, maxLength: 60, size: 'max' },
)

/** The cluster as the store has it. */
export class Cluster {
  readonly machines = new Map<MachineId, SchedulerMachine>()
  readonly units = new Map<UnitName, SchedulerUnit>()
  readonly placements = new Map<string, SchedulerPlacement>()
  readonly runs = new Map<string, boolean>()
  /** By `machine/name`. */
  readonly volumes = new Map<string, SchedulerVolume>()
  leaving: readonly SchedulerLeaving[] = []

  snapshot(movesMax: number | undefined): Snapshot {
    return {
      machines: [...this.machines.values()],
      units: [...this.units.values()],
      placements: [...this.placements].map(([key, each]) => {
        const runs = this.runs.get(key)
        return runs === undefined ? each : { ...each, runs }
      }),
      volumes: [...this.volumes.values()],
      leaving: this.leaving,
      ...(movesMax !== undefined && { movesMax }),
    }
  }
}

export const keyOf = ({
  unit: name,
  machine: at,
}: Pick<SchedulerPlacement, 'unit' | 'machine'>): string => `${at}/${name}`
