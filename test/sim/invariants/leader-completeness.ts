/** A member that leads, and has applied its own term's first entry, has all that was committed. */
import type { LeaderOffice } from '../../../src/node/controllers/office.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

export function leaderCompleteness({ committed, machines }: World): Invariant {
  const name = 'leader completeness'
  /** What had been committed when each office was first seen; -1 once it was judged. */
  const expected = new WeakMap<LeaderOffice, number>()
  return {
    name,
    always: () => {
      for (const machine of machines) {
        const core = machine.process?.core
        const office = core?.office
        if (office === undefined) continue
        const atLeast = expected.get(office) ?? committed.newest
        expected.set(office, atLeast)
        if (atLeast < 0 || office.judge === undefined || core?.member === undefined) continue
        const { revision } = core.member.member.store
        const text = `${machine.name} leads at revision ${revision} without revision ${atLeast}`
        holds(revision >= atLeast, name, text)
        expected.set(office, -1)
      }
    },
  }
}
