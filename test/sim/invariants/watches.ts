/** A watch tells every change of its range, in order, without gap or duplicate, and no other. */
import { clientPrefix } from '../clients.ts'
import { type Committed, keyOf } from '../committed.ts'
import type { SimulatedProcess } from '../process.ts'
import type { Told, Watchers } from '../watchers.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

const name = 'watches'

export function watches({ committed, machines }: World, watchers: Watchers): Invariant {
  const reached = new WeakMap<SimulatedProcess, number>()
  let waiting: { node: string; process: SimulatedProcess; told: Told }[] = []
  watchers.onTold((node, process, told) => waiting.push({ node, process, told }))

  const keysAt = (revision: number): string[] =>
    (committed.at(revision)?.events ?? []).map(keyOf).filter((key) => key.startsWith(clientPrefix))

  function checkChanges(node: string, from: number, { batch }: Told & { kind: 'changes' }): void {
    const { revision, events } = batch
    holds(revision > from, name, `${node} was told of ${revision} after ${from}`)
    for (let missed = from + 1; missed < revision; missed += 1) {
      const keys = keysAt(missed).join(', ')
      holds(keys === '', name, `${node} was not told of revision ${missed}: ${keys}`)
    }
    if (events.length === 0) return
    const told = events.map(keyOf).join(', ')
    const expected = keysAt(revision).join(', ')
    holds(told === expected, name, `${node}, revision ${revision}: told ${told}, not ${expected}`)
    for (const event of events) {
      if (event.kind !== 'put') continue
      const same = event.item.modRevision === revision
      holds(same, name, `${node} was told ${event.item.modRevision} at ${revision}`)
    }
  }

  return {
    name,
    always: () => {
      watchers.attach()
      if (waiting.length === 0) return
      const all = waiting
      waiting = []
      for (const { node, process, told } of all) {
        if (told.kind === 'list') checkList(committed, node, told)
        else checkChanges(node, reached.get(process) ?? 0, told)
        reached.set(process, told.kind === 'list' ? told.revision : told.batch.revision)
      }
    },
    atEnd: () => {
      for (const machine of machines) {
        const { process } = machine
        const from = process === undefined ? undefined : reached.get(process)
        holds(from !== undefined, name, `nobody watches at ${machine.name}`)
        for (let missed = from + 1; missed <= committed.newest; missed += 1) {
          const keys = keysAt(missed).join(', ')
          holds(keys === '', name, `${machine.name} never told of revision ${missed}: ${keys}`)
        }
      }
    },
  }
}

/** A list is the range as it was at its revision. */
function checkList(
  committed: Committed,
  node: string,
  { items, revision }: Told & { kind: 'list' },
): void {
  const told = new Map(items.map(({ key, modRevision }) => [key, modRevision]))
  for (const key of committed.keys) {
    if (!key.startsWith(clientPrefix)) continue
    const expected = committed.getAt(key, revision)?.modRevision
    const text = `${node} lists ${key} of ${told.get(key)} at ${revision}, not of ${expected}`
    holds(told.get(key) === expected, name, text)
  }
}
