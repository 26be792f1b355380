/** A member's id belongs to one machine, and never comes back once that machine has a newer one. */
import type { MemberId } from '../../../src/base/ids.ts'
import { holds, type Invariant } from './invariant.ts'

export function memberIds(): Invariant {
  const name = 'member ids'
  const machines = new Map<MemberId, string>()
  const newest = new Map<string, MemberId>()
  return {
    name,
    member: (machine, { member: { id } }) => {
      const owner = machines.get(id) ?? machine.name
      machines.set(id, owner)
      holds(owner === machine.name, name, `${machine.name} runs member ${id}, which is ${owner}'s`)
      const before = newest.get(machine.name) ?? id
      holds(id >= before, name, `${machine.name} runs member ${id} again, after ${before}`)
      newest.set(machine.name, id)
    },
  }
}
