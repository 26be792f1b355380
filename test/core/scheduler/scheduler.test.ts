/** The planner that is kept gives the plans that one from nothing gives, whatever has happened. */
import { deepStrictEqual } from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { afterPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { Scheduler } from '../../../src/core/scheduler/scheduler.ts'
import type { Decision, Plan, SchedulerVolume } from '../../../src/core/scheduler/types.ts'
import { Cluster, type Happening, happenings, keyOf } from './histories.ts'

const told = ({ decisions, unplaced }: Plan) => ({
  decisions,
  unplaced: [...unplaced].toSorted(([a], [b]) => (a < b ? -1 : 1)),
})

const volumeKey = ({ name, machine }: SchedulerVolume): string => `${machine}/${name}`

/** The store and the planner hear of the same; the planner is compared at every plan. */
class Comparison {
  readonly #cluster = new Cluster()
  readonly #kept = new Scheduler()
  /** Placements of which the planner takes for granted what may not have come to be. */
  #uncertain: readonly Decision[] = []
  plans = 0
  decisions = 0

  happen(happening: Happening): void {
    const { machines, units, placements, runs, volumes } = this.#cluster
    switch (happening.kind) {
      case 'machine':
        machines.set(happening.machine.id, happening.machine)
        return this.#kept.update({ machines: [happening.machine] })
      case 'machineGone':
        machines.delete(happening.machine)
        return this.#kept.update({ machinesGone: [happening.machine] })
      case 'unit':
        units.set(happening.unit.name, happening.unit)
        return this.#kept.update({ units: [happening.unit] })
      case 'unitGone':
        units.delete(happening.unit)
        return this.#kept.update({ unitsGone: [happening.unit] })
      case 'placement':
        this.#makeCertain()
        placements.set(keyOf(happening.placement), happening.placement)
        return this.#kept.update({ placements: [happening.placement] })
      case 'placementGone':
        this.#makeCertain()
        placements.delete(keyOf(happening.placement))
        return this.#kept.update({ placementsGone: [happening.placement] })
      case 'runs':
      case 'rests':
        runs.set(keyOf(happening.placement), happening.kind === 'runs')
        return undefined
      case 'volume':
        volumes.set(volumeKey(happening.volume), happening.volume)
        return this.#kept.update({ volumes: [happening.volume] })
      case 'volumeGone':
        volumes.delete(volumeKey(happening.volume))
        return this.#kept.update({ volumesGone: [happening.volume] })
      case 'ended':
        this.#makeCertain()
        this.#cluster.leaving = this.#cluster.leaving.filter(
          (each) => keyOf(each) !== keyOf(happening.placement),
        )
        return this.#kept.update({ leavingGone: [happening.placement] })
      case 'plan':
        return this.#plan(happening.part, happening.movesMax)
    }
  }

  #plan(part: number, movesMax: number | undefined): void {
    this.#makeCertain()
    const cluster = this.#cluster
    const snapshot = cluster.snapshot(movesMax)
    const kept = this.#kept.plan({ runs: cluster.runs, movesMax })
    deepStrictEqual(told(kept), told(plan(snapshot)))
    this.plans += 1
    this.decisions += kept.decisions.length
    this.#uncertain = [...kept.decisions]
    const committed = kept.decisions.slice(0, Math.ceil(kept.decisions.length * part))
    const after = afterPlan(snapshot, committed)
    cluster.placements.clear()
    for (const placement of after.placements) {
      const isAlone = cluster.units.get(placement.unit)?.rules.fencing === 'stop'
      const fence = isAlone ? { isLeaving: false, isOver: false } : undefined
      cluster.placements.set(keyOf(placement), { ...(fence && { fence }), ...placement })
    }
    cluster.leaving = after.leaving ?? []
    // The store tells of fences, too, of what the plan had nothing to do with.
    this.#kept.update({ placements: cluster.placements.values() })
  }

  #makeCertain(): void {
    for (const decision of this.#uncertain) {
      const machines = [decision.machine, ...(decision.kind === 'move' ? [decision.from] : [])]
      for (const at of machines) {
        const gone = { unit: decision.unit, machine: at }
        const placed = this.#cluster.placements.get(keyOf(gone))
        this.#kept.update(
          placed === undefined ? { placementsGone: [gone] } : { placements: [placed] },
        )
        const leaving = this.#cluster.leaving.filter((each) => keyOf(each) === keyOf(gone))
        this.#kept.update(leaving.length === 0 ? { leavingGone: [gone] } : { leaving })
      }
    }
    this.#uncertain = []
  }
}

t.test('whatever happens, the plans are those from nothing', (t) => {
  let plans = 0
  let decisions = 0
  fc.assert(
    fc.property(happenings, (history) => {
      const comparison = new Comparison()
      for (const happening of history) comparison.happen(happening)
      comparison.happen({ kind: 'plan', part: 1, movesMax: undefined })
      comparison.happen({ kind: 'plan', part: 1, movesMax: undefined })
      plans += comparison.plans
      decisions += comparison.decisions
    }),
    { numRuns: 400, seed: 1 },
  )
  t.ok(plans > 800 && decisions > plans / 2, 'and there was something to decide')
  t.end()
})
