/**
 * What units take of a machine: memory, processors, ports of the host. A reservation counts from when a
 * unit is placed, whatever its container uses. Only newcomers are held to it: what is there stays.
 */
import type { UnitName } from '../../base/ids.ts'
import type { Capacity, HostPort, Needs } from '../../base/room.ts'
import type { Obstacle, SchedulerUnit } from './types.ts'

export const noNeeds: Needs = { memoryBytes: 0, nanoCpus: 0, ports: [] }

export const isFree = ({ memoryBytes, nanoCpus, ports }: Needs): boolean =>
  memoryBytes === 0 && nanoCpus === 0 && ports.length === 0

/** What is reserved on one machine. */
export class Room {
  memoryBytes = 0
  nanoCpus = 0
  /** What was taken off the machine and is not gone yet. Invariant: all of it counts as taken. */
  readonly #leaving = new Map<UnitName, Needs>()
  /** By `8080/tcp`. */
  readonly #ports = new Map<string, { readonly unit: UnitName; readonly ip: string }[]>()

  /** Who comes back while it leaves takes what it has there already. */
  take({ name, needs }: Holder): void {
    const before = this.#leaving.get(name)
    if (before !== undefined) {
      this.#leaving.delete(name)
      this.giveBack({ name, needs: before })
    }
    this.memoryBytes += needs.memoryBytes
    this.nanoCpus += needs.nanoCpus
    for (const { port, ip } of needs.ports) {
      const holders = this.#ports.get(port)
      if (holders === undefined) this.#ports.set(port, [{ unit: name, ip }])
      else holders.push({ unit: name, ip })
    }
  }

  /** It is to go, and holds what it took for as long as it is there. */
  leave({ name, needs }: Holder): void {
    if (!isFree(needs)) this.#leaving.set(name, needs)
  }

  giveBack({ name, needs }: Holder): void {
    this.memoryBytes -= needs.memoryBytes
    this.nanoCpus -= needs.nanoCpus
    for (const { port } of needs.ports) {
      const left = (this.#ports.get(port) ?? []).filter(({ unit }) => unit !== name)
      if (left.length === 0) this.#ports.delete(port)
      else this.#ports.set(port, left)
    }
  }

  isLeaving(name: UnitName): boolean {
    return this.#leaving.has(name)
  }

  get leaving(): readonly Holder[] {
    return [...this.#leaving].map(([name, needs]) => ({ name, needs }))
  }

  /** Who has the port already, of those that stay. */
  holderOf({ port, ip }: HostPort, leaving: ReadonlySet<UnitName>): UnitName | undefined {
    return this.#ports
      .get(port)
      ?.find((other) => !leaving.has(other.unit) && isSameAddress(other.ip, ip))?.unit
  }
}

export type Holder = Pick<SchedulerUnit, 'name' | 'needs'>

const isSameAddress = (a: string, b: string): boolean => isAny(a) || isAny(b) || a === b
const isAny = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::'

/**
 * Why `unit` has no room beside what is there; `victims` are those that go when it comes. What the unit
 * itself has left there is no obstacle: its agent ends one before it begins the other.
 */
export function roomObstacle(
  { name, needs }: SchedulerUnit,
  capacity: Capacity,
  room: Room,
  victims: readonly Holder[],
): Obstacle | undefined {
  if (isFree(needs)) return undefined
  const others = room.leaving.filter((each) => each.name !== name)
  const gone = [...victims, ...room.leaving.filter((each) => each.name === name)]
  const names = new Set(gone.map((each) => each.name))
  for (const wanted of needs.ports) {
    const by = room.holderOf(wanted, names)
    if (by === undefined) continue
    return { kind: 'port', port: wanted.port, by, stopping: room.isLeaving(by) }
  }
  for (const what of ['memoryBytes', 'nanoCpus'] as const) {
    const free = capacity[what] - room[what] + sumOf(gone, what)
    if (needs[what] > 0 && needs[what] > free) {
      const stopping = sumOf(others, what)
      return { kind: what, wanted: needs[what], free: Math.max(0, free), stopping }
    }
  }
  return undefined
}

const sumOf = (holders: readonly Holder[], what: 'memoryBytes' | 'nanoCpus'): number =>
  holders.reduce((sum, { needs }) => sum + needs[what], 0)

/** There is no room now, and there will be once what is being stopped there is gone. */
export function isRoomComing(unit: SchedulerUnit, capacity: Capacity, room: Room): boolean {
  // What is its own there is none of its room to come: it has it.
  const leaving = room.leaving.filter(({ name }) => name !== unit.name)
  return leaving.length > 0 && roomObstacle(unit, capacity, room, leaving) === undefined
}
