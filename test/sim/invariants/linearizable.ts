/**
 * What clients are told fits one order of all writes and reads, and the order of their times.
 * The store's revisions name that order, so each answer is held against it: nothing older than
 * what anybody had been told before, each acknowledged write where it was said to be, none
 * twice, and none that was said not to have happened.
 */
import type { Clients, Operation } from '../clients.ts'
import { clientPrefix, valueOf } from '../clients.ts'
import type { Committed } from '../committed.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

const name = 'linearizable'

export function linearizable({ committed }: World, clients: Clients): Invariant {
  /** By value: every value is written by one request only. */
  const writtenAt = new Map<string, number>()
  const refused = new Map<string, Operation>()
  let done: Operation[] = []
  clients.onDone((operation) => done.push(operation))
  return {
    name,
    revision: (batch) => {
      for (const event of batch.events) {
        if (event.kind !== 'put' || !event.item.key.startsWith(clientPrefix)) continue
        const value = valueOf(event.item.value)
        const before = writtenAt.get(value)
        const twice = `${value} was written at revision ${before} and again at ${batch.revision}`
        holds(before === undefined, name, twice)
        writtenAt.set(value, batch.revision)
        const operation = refused.get(value)
        const text = `${describe(operation)}, and was written at revision ${batch.revision}`
        holds(operation === undefined, name, text)
      }
    },
    always: () => {
      if (done.length === 0) return
      const operations = done
      done = []
      for (const operation of operations) {
        check(committed, writtenAt, operation)
        const { request, outcome } = operation
        const isRefused = outcome.kind === 'nothing' && request.kind !== 'get'
        if (isRefused) refused.set(request.value, operation)
      }
    },
  }
}

/** One answer against what was committed. */
function check(
  committed: Committed,
  writtenAt: ReadonlyMap<string, number>,
  operation: Operation,
): void {
  const { request, outcome, floor } = operation
  const { key } = request
  const told = describe(operation)
  switch (outcome.kind) {
    case 'read': {
      holds(outcome.revision >= floor, name, `${told}, although ${floor} was known`)
      const expected = committed.getAt(key, outcome.revision)?.modRevision ?? 0
      const text = `${told}; at that revision it was last written at ${expected}`
      holds(outcome.modRevision === expected, name, text)
      return
    }
    case 'written': {
      holds(outcome.revision > floor, name, `${told}, although ${floor} was known`)
      const value = request.kind === 'get' ? '' : request.value
      const at = writtenAt.get(value)
      holds(at === outcome.revision, name, `${told}; it was written at revision ${at}`)
      if (request.kind !== 'swap') return
      const before = committed.getAt(key, outcome.revision - 1)?.modRevision ?? 0
      holds(before === request.expected, name, `${told}; before it, ${before} was`)
      return
    }
    case 'swapRefused': {
      holds(outcome.revision >= floor, name, `${told}, although ${floor} was known`)
      const before = committed.getAt(key, outcome.revision)?.modRevision ?? 0
      const isRight = request.kind === 'swap' && before !== request.expected
      holds(isRight, name, `${told}; ${before} was there`)
      return
    }
    case 'nothing': {
      if (request.kind === 'get') return
      const at = writtenAt.get(request.value)
      holds(at === undefined, name, `${told}, and was written at revision ${at}`)
      return
    }
    case 'unknown':
  }
}

function describe(operation: Operation | undefined): string {
  if (operation === undefined) return 'nobody'
  const { client, node, request, outcome } = operation
  const { kind, ...told } = outcome
  return `client ${client} at ${node}: ${JSON.stringify(request)} → ${kind} ${JSON.stringify(told)}`
}
