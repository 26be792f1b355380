/** In the end every member holds the same items, also those that came to it by a snapshot. */
import { bytesEqual } from '../../../src/base/bytes.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

/** Members that have not applied what is committed. */
export const membersBehind = ({
  committed,
  machines,
}: Pick<World, 'committed' | 'machines'>): string[] =>
  machines.flatMap(({ name, process }) => {
    const revision = process?.core?.member?.member.store.revision ?? committed.newest
    return revision === committed.newest ? [] : [`${name} is at ${revision}`]
  })

export function convergence({ committed, machines }: World): Invariant {
  const name = 'convergence'
  return {
    name,
    atEnd: () => {
      holds(membersBehind({ committed, machines }).length === 0, name, 'nobody is behind')
      for (const machine of machines) {
        const store = machine.process?.core?.member?.member.store
        if (store === undefined) continue
        let count = 0
        for (let key = ''; ;) {
          const answer = store.range({ key, rangeEnd: '\uffff' })
          if (answer.kind !== 'range') break
          const { items, more } = answer.result
          for (const item of items) {
            const known = committed.get(item.key)
            const same =
              known?.modRevision === item.modRevision && bytesEqual(known.value, item.value)
            holds(same, name, `${machine.name} has another ${item.key}`)
          }
          count += items.length
          const last = items.at(-1)
          if (!more || last === undefined) break
          key = `${last.key}\0`
        }
        const all = committed.items.size
        holds(count === all, name, `${machine.name} has ${count} keys of ${all}`)
      }
    },
  }
}
