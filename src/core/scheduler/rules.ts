/**
 * fleet's hard rules, in the order in which fleet asks them (fleet `agent/state.go`,
 * `AbleToRun`): MachineID, metadata, MachineOf, Conflicts, Replaces; and then whether there is room.
 */
import { assertNever } from '../../base/assert.ts'
import { isIdOf, type MachineId, type UnitName } from '../../base/ids.ts'
import type { HostPort, Needs } from '../../base/room.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { matchesGlob } from './matchers.ts'
import { isFree, roomObstacle } from './room.ts'
import type { Obstacle, SchedulerRules, SchedulerUnit } from './types.ts'

/**
 * Why `state` may not run `unit`, or undefined. A unit that is already there does not stand in
 * its own way. A unit that `unit` would replace is no obstacle: see `victimsOf`.
 */
export function obstacleOf(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  return standingObstacle(unit, state, fleet) ?? newcomersObstacle(unit, state, fleet)
}

/** Of `obstacleOf`, what no room would help against. */
export function standingObstacle(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  if (state.machine.status === 'lost') return { kind: 'machineLost' }
  return (
    attributeObstacle(unit.rules, state) ??
    peerObstacle(unit.rules, state, fleet) ??
    neighbourObstacle(unit, state, fleet)
  )
}

/** What is there already stays, whatever has become of the machine's room. */
function newcomersObstacle(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  if (state.units.has(unit.name)) return undefined
  if (unit.crashes?.hold === 'parked') return { kind: 'parked' }
  if (unit.crashes?.hold === 'pause') return { kind: 'crashPause' }
  if (state.machine.drain !== 'none') return { kind: 'draining' }
  const elsewhere = volumeObstacle(unit, state, fleet)
  if (elsewhere !== undefined) return elsewhere
  if (cannotFence(unit, state)) return { kind: 'noFencer' }
  if (isFree(unit.needs)) return undefined
  const leaving = victimsOf(unit, state, fleet).map(({ victim }) => victim)
  return roomObstacle(unit, state.machine.capacity, state.room, leaving)
}

/**
 * Why a unit that came there under an older file may not stay under its new one. What it asks for beyond `before`
 * is asked of the machine as of a newcomer; what is being stopped there, or leaves because of it, is as good as gone.
 */
export function renewalObstacle(
  unit: SchedulerUnit,
  before: Needs,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  const elsewhere = volumeObstacle(unit, state, fleet, { ownUse: 1 })
  if (elsewhere !== undefined) return elsewhere
  if (cannotFence(unit, state)) return { kind: 'noFencer' }
  const neighbour = neighbourObstacle(unit, state, fleet)
  if (neighbour !== undefined) return neighbour
  const victims = victimsOf(unit, state, fleet).map(({ victim }) => victim)
  const gone = [unit, ...victims, ...state.room.leaving]
  const needs = grownBeyond(before, unit.needs)
  return roomObstacle({ ...unit, needs }, state.machine.capacity, state.room, gone)
}

/** Of `needs`, all of what there is more of than before. */
function grownBeyond(before: Needs, needs: Needs): Needs {
  const more = (what: 'memoryBytes' | 'nanoCpus'): number =>
    needs[what] > before[what] ? needs[what] : 0
  const isNew = ({ port, ip }: HostPort): boolean =>
    !before.ports.some((other) => other.port === port && other.ip === ip)
  return {
    memoryBytes: more('memoryBytes'),
    nanoCpus: more('nanoCpus'),
    ports: needs.ports.filter(isNew),
  }
}

/** Nothing there would stop it in time. */
export const cannotFence = ({ rules }: SchedulerUnit, { machine }: MachineState): boolean =>
  rules.fencing === 'stop' && machine.cannotFence === true

/**
 * A volume is never made a second time, empty, beside one that has data; global units are everywhere. `ownUse`:
 * for so many reasons it is on the machine that say nothing, as they are the unit's own.
 */
export function volumeObstacle(
  { rules, needs }: SchedulerUnit,
  { machine }: MachineState,
  fleet: FleetState,
  { ownUse } = { ownUse: 0 },
): Obstacle | undefined {
  if (rules.global) return undefined
  for (const volume of needs.volumes ?? []) {
    const holders = fleet.volumes.holdersOf(volume)
    if ((holders.get(machine.id) ?? 0) > ownUse) continue
    const [where] = [...holders.keys()].filter((id) => id !== machine.id).toSorted()
    if (where !== undefined) return { kind: 'volume', volume, where }
  }
  return undefined
}

/** The rules that only the machine itself can break; `Global` units are held to these too. */
export function attributeObstacle(
  rules: SchedulerRules,
  state: MachineState,
): Obstacle | undefined {
  const { machine } = state
  if (rules.machineId !== undefined && !isIdOf(rules.machineId, machine.id)) {
    return { kind: 'otherMachine', wanted: rules.machineId }
  }
  for (const [key, wanted] of Object.entries(rules.metadata)) {
    const has = Object.hasOwn(machine.metadata, key) ? machine.metadata[key] : undefined
    if (has === undefined || !wanted.includes(has)) return { kind: 'metadata', key, wanted, has }
  }
  return undefined
}

function peerObstacle(
  rules: SchedulerRules,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  for (const peer of rules.machineOf) {
    const places = fleet.placesOf(peer)
    if (!places.has(state.machine.id)) {
      return { kind: 'peerElsewhere', peer, where: leastPlace(places) }
    }
  }
  return undefined
}

function leastPlace(places: ReadonlySet<MachineId>): MachineId | undefined {
  let least: MachineId | undefined
  for (const id of places) if (least === undefined || id < least) least = id
  return least
}

function neighbourObstacle(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
): Obstacle | undefined {
  const { name, rules } = unit
  for (const pattern of rules.conflicts) {
    const other = leastOf(state.units.keys(), (one) => one !== name && matchesGlob(pattern, one))
    if (other !== undefined) return { kind: 'conflict', with: other, pattern, by: 'self' }
  }
  if (state.guarded.size === 0 || !fleet.patterns.matchAny(name)) return undefined
  const others = [...state.guarded].filter((other) => other.name !== name)
  const refusing = leastGuard(others, ({ rules: theirs }) =>
    theirs.conflicts.find((pattern) => matchesGlob(pattern, name)),
  )
  if (refusing !== undefined) {
    return { kind: 'conflict', with: refusing.name, pattern: refusing.pattern, by: 'other' }
  }
  const replacing = leastGuard(others, (other) => fleet.replacements.pattern(other.name, name))
  return replacing && { kind: 'replaced', by: replacing.name, pattern: replacing.pattern }
}

/** Not whoever came first: the same cluster must give the same reasons, in whatever order it came about. */
function leastOf(names: Iterable<UnitName>, is: (name: UnitName) => boolean): UnitName | undefined {
  let least: UnitName | undefined
  for (const name of names) if ((least === undefined || name < least) && is(name)) least = name
  return least
}

function leastGuard(
  units: readonly SchedulerUnit[],
  patternOf: (unit: SchedulerUnit) => string | undefined,
): { readonly name: UnitName; readonly pattern: string } | undefined {
  let least: { readonly name: UnitName; readonly pattern: string } | undefined
  for (const unit of units) {
    if (least !== undefined && least.name < unit.name) continue
    const pattern = patternOf(unit)
    if (pattern !== undefined) least = { name: unit.name, pattern }
  }
  return least
}

/** The units on `state` that leave when `unit` comes, each with the pattern that says so. */
export function victimsOf(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
): { readonly victim: SchedulerUnit; readonly pattern: string }[] {
  const victims: { victim: SchedulerUnit; pattern: string }[] = []
  if (unit.rules.replaces.length === 0) return victims
  for (const other of state.units.values()) {
    const pattern = fleet.replacements.pattern(unit.name, other.name)
    if (pattern !== undefined) victims.push({ victim: other, pattern })
  }
  return victims.toSorted((a, b) => (a.victim.name < b.victim.name ? -1 : 1))
}

/** One line for people. */
export function describeObstacle(
  obstacle: Obstacle,
  nameOf = (machine: MachineId): string => machine.slice(0, 8),
): string {
  switch (obstacle.kind) {
    case 'machineLost':
      return 'the machine is lost'
    case 'draining':
      return 'the machine drains'
    case 'noFencer':
      return 'Fencing=stop: the release on that machine is too old for it'
    case 'oldCopy':
      return `it waits until its old copy on ${nameOf(obstacle.where)} is surely dead`
    case 'otherMachine':
      return `MachineID asks for ${obstacle.wanted}`
    case 'metadata': {
      const has = obstacle.has === undefined ? 'is not set' : `is "${obstacle.has}"`
      return `MachineMetadata asks for ${obstacle.key}=${obstacle.wanted.join(' or ')}; it ${has}`
    }
    case 'peerElsewhere':
      return obstacle.where === undefined
        ? `MachineOf: ${obstacle.peer} is not placed`
        : `MachineOf: ${obstacle.peer} is on ${nameOf(obstacle.where)}`
    case 'conflict': {
      const whose = obstacle.by === 'self' ? 'its own' : `${obstacle.with}'s`
      return `Conflicts: ${obstacle.with} is there (${whose} pattern ${obstacle.pattern})`
    }
    case 'replaced':
      return `Replaces: ${obstacle.by} took its place there (pattern ${obstacle.pattern})`
    case 'crashPause':
      return 'it failed again and again, and is tried again after a pause'
    case 'parked':
      return 'it is parked: it failed again and again, on one machine after the other'
    case 'braked':
      return 'many machines are lost at once: others start elsewhere first'
    case 'volume':
      return `its volume ${obstacle.volume} is on ${nameOf(obstacle.where)}`
    case 'port':
      return `port ${obstacle.port} of the host is ${obstacle.by}'s there${obstacle.stopping ? ', which is being stopped' : ''}`
    case 'memoryBytes':
      return `it asks for ${sizeText(obstacle.wanted)} of memory; ${freeText(obstacle, sizeText)}`
    case 'nanoCpus':
      return `it asks for ${cpusText(obstacle.wanted)} processors; ${freeText(obstacle, cpusText)}`
    default:
      return assertNever(obstacle)
  }
}

function freeText(
  { free, stopping }: { readonly free: number; readonly stopping: number },
  text: (amount: number) => string,
): string {
  const more =
    stopping === 0 ? '' : `, and ${text(stopping)} more once what is being stopped is gone`
  return `${text(free)} are free${more}`
}

const mebibyte = 2 ** 20
const sizeText = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`
const cpusText = (nanos: number): string => String(Number((nanos / 1e9).toFixed(2)))
