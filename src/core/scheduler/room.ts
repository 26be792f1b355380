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
  /** By `8080/tcp`. */
  readonly #ports = new Map<string, { readonly unit: UnitName; readonly ip: string }[]>()

  take({ name, needs }: SchedulerUnit): void {
    this.memoryBytes += needs.memoryBytes
    this.nanoCpus += needs.nanoCpus
    for (const { port, ip } of needs.ports) {
      const holders = this.#ports.get(port)
      if (holders === undefined) this.#ports.set(port, [{ unit: name, ip }])
      else holders.push({ unit: name, ip })
    }
  }

  giveBack({ name, needs }: SchedulerUnit): void {
    this.memoryBytes -= needs.memoryBytes
    this.nanoCpus -= needs.nanoCpus
    for (const { port } of needs.ports) {
      const left = (this.#ports.get(port) ?? []).filter(({ unit }) => unit !== name)
      if (left.length === 0) this.#ports.delete(port)
      else this.#ports.set(port, left)
    }
  }

  /** Who has the port already, of those that stay. */
  holderOf({ port, ip }: HostPort, leaving: ReadonlySet<UnitName>): UnitName | undefined {
    return this.#ports
      .get(port)
      ?.find((other) => !leaving.has(other.unit) && isSameAddress(other.ip, ip))?.unit
  }
}

const isSameAddress = (a: string, b: string): boolean => isAny(a) || isAny(b) || a === b
const isAny = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::'

/** Why `unit` has no room beside what is there; `leaving` are those that go when it comes. */
export function roomObstacle(
  { needs }: SchedulerUnit,
  capacity: Capacity,
  room: Room,
  leaving: readonly SchedulerUnit[],
): Obstacle | undefined {
  if (isFree(needs)) return undefined
  const names = new Set(leaving.map(({ name }) => name))
  for (const wanted of needs.ports) {
    const by = room.holderOf(wanted, names)
    if (by !== undefined) return { kind: 'port', port: wanted.port, by }
  }
  const freed = (what: 'memoryBytes' | 'nanoCpus'): number =>
    leaving.reduce((sum, unit) => sum + unit.needs[what], 0)
  for (const what of ['memoryBytes', 'nanoCpus'] as const) {
    const free = capacity[what] - room[what] + freed(what)
    if (needs[what] > 0 && needs[what] > free) {
      return { kind: what, wanted: needs[what], free: Math.max(0, free) }
    }
  }
  return undefined
}
