/**
 * How much of a machine may be reserved: what it has, or what its labels `capacity.memory` and
 * `capacity.cpus` say instead (`48g`, `12.5`, or `150%` of what it has). So room may be kept free for
 * other work, and more may be given away than there is: nothing is unless somebody asked for it.
 */
import type { Capacity } from '../../base/room.ts'
import { parseBytes, parseNanoCpus } from './docker-values.ts'

export const memoryLabel = 'capacity.memory'
export const cpusLabel = 'capacity.cpus'

const nanosPerCpu = 1e9
/** Of what a machine has. */
const percentMax = 10_000

export interface MachineSize {
  readonly cpus: number
  readonly memoryBytes: number
  readonly metadata: Readonly<Record<string, string>>
}

/** A label that cannot be read counts as none. */
export function capacityOf({ cpus, memoryBytes, metadata }: MachineSize): Capacity {
  const nanoCpus = cpus * nanosPerCpu
  return {
    memoryBytes: amountOf(metadata[memoryLabel], memoryBytes, parseBytes) ?? memoryBytes,
    nanoCpus: amountOf(metadata[cpusLabel], nanoCpus, parseNanoCpus) ?? nanoCpus,
  }
}

/** Why a label cannot say how much there is; undefined for any other label, and for one that can. */
export function refuseCapacity(label: string, value: string): string | undefined {
  if (label === memoryLabel && amountOf(value, 1, parseBytes) === undefined) {
    return `${label}=${value}: write a size, such as 48g, or a share, such as 150%`
  }
  if (label === cpusLabel && amountOf(value, 1, parseNanoCpus) === undefined) {
    return `${label}=${value}: write a number of processors, such as 12.5, or a share, such as 150%`
  }
  return undefined
}

function amountOf(
  text: string | undefined,
  whole: number,
  parse: (text: string) => number | undefined,
): number | undefined {
  if (text === undefined) return undefined
  if (!text.endsWith('%')) return parse(text)
  const percent = /^\d{1,5}%$/.test(text) ? Number(text.slice(0, -1)) : Infinity
  return percent <= percentMax ? Math.floor((whole * percent) / 100) : undefined
}
