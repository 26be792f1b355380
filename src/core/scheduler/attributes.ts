/**
 * Which machines have what units ask for, whatever runs there: made when it is first asked, kept until
 * the attributes of a machine change.
 */
import { Bits } from './bits.ts'
import type { SchedulerMachine, SchedulerRules } from './types.ts'

/** Beyond this all are forgotten at once, so that units that all ask for something else do not fill the memory. */
const maxKept = 4096

export class Attributes {
  /** By rank. */
  readonly #machines: readonly SchedulerMachine[]
  readonly #eligible = new Map<string, Bits>()
  readonly #wishes = new Map<string, readonly Bits[]>()
  readonly #values = new Map<string, ReadonlyMap<string | undefined, readonly number[]>>()

  constructor(machines: readonly SchedulerMachine[]) {
    this.#machines = machines
  }

  /** Those that have the metadata; undefined: all. */
  eligible({ metadata }: SchedulerRules): Bits | undefined {
    const wanted = Object.entries(metadata)
    if (wanted.length === 0) return undefined
    return kept(this.#eligible, JSON.stringify(wanted), () =>
      this.#where((machine) =>
        wanted.every(([key, values]) => {
          const has = Object.hasOwn(machine.metadata, key) ? machine.metadata[key] : undefined
          return has !== undefined && values.includes(has)
        }),
      ),
    )
  }

  /** All machines, in groups for which the wishes weigh the same, the heaviest first. */
  wishes(prefer: SchedulerRules['prefer']): readonly Bits[] {
    return kept(this.#wishes, JSON.stringify(prefer), () => {
      const groups = new Map<number, Bits>()
      for (const [rank, machine] of this.#machines.entries()) {
        const weight = wishOf(prefer, machine)
        const group = groups.get(weight) ?? new Bits(this.#machines.length)
        group.add(rank)
        groups.set(weight, group)
      }
      return [...groups].toSorted(([a], [b]) => b - a).map(([, group]) => group)
    })
  }

  /** The ranks of the machines with each value of a label. */
  valuesOf(label: string): ReadonlyMap<string | undefined, readonly number[]> {
    return kept(this.#values, label, () => {
      const values = new Map<string | undefined, number[]>()
      for (const [rank, { metadata }] of this.#machines.entries()) {
        const ranks = values.get(metadata[label])
        if (ranks === undefined) values.set(metadata[label], [rank])
        else ranks.push(rank)
      }
      return values
    })
  }

  #where(has: (machine: SchedulerMachine) => boolean): Bits {
    const found = new Bits(this.#machines.length)
    for (const [rank, machine] of this.#machines.entries()) if (has(machine)) found.add(rank)
    return found
  }
}

/** The sum of the weights of what the machine has. */
export const wishOf = (prefer: SchedulerRules['prefer'], { metadata }: SchedulerMachine): number =>
  prefer.reduce((sum, { key, value, weight }) => sum + (metadata[key] === value ? weight : 0), 0)

function kept<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key)
  if (known !== undefined) return known
  if (cache.size >= maxKept) cache.clear()
  const made = make()
  cache.set(key, made)
  return made
}
