/**
 * A key under a lease is there for at least the lease's time after the last acknowledged
 * keep-alive was sent, whoever leads, and in the end it is gone once nobody keeps it alive.
 */
import type { Holders } from '../holders.ts'
import { keyOf } from '../committed.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

const name = 'leases'
/** A leader's clock may run fast by this, drift and error together. */
const clockErrorMax = 0.012

export function leases({ committed, time }: World, holders: Holders): Invariant {
  return {
    name,
    revision: (batch) => {
      for (const event of batch.events) {
        if (event.kind !== 'delete') continue
        const held = holders.held(keyOf(event))
        if (held === undefined) continue
        const keptMs = time.nowMs - held.keptSinceMs
        const text = `${keyOf(event)} went ${keptMs} ms after its lease of ${held.ttlMs} ms was kept alive`
        holds(keptMs >= held.ttlMs * (1 - clockErrorMax), name, text)
      }
    },
    atEnd: () => {
      for (const key of holders.abandoned) {
        holds(committed.get(key) === undefined, name, `${key} is there, and nobody keeps it alive`)
      }
    },
  }
}
