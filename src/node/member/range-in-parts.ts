/** A range that may have to look at many keys to find few: the loop sees to others meanwhile. */
import { RangeReading } from '../../core/store/evaluate.ts'
import type { Store } from '../../core/store/store.ts'
import { maxRangeBytes, type RangeRequest, type RangeResult } from '../../core/store/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import { refused } from './errors.ts'

/**
 * As of one revision, however many parts it takes. `store` is asked anew for each: a snapshot from
 * the leader replaces it. Rejects with JGD_COMPACTED or JGD_FUTURE_REVISION.
 */
export async function rangeInParts(
  store: () => Store,
  request: RangeRequest,
  clock: Clock,
): Promise<RangeResult> {
  for (;;) {
    const reading = new RangeReading(request, maxRangeBytes)
    let fault = store().readOn(reading)
    while (fault === undefined && !reading.isDone) {
      await sleep(clock, 0)
      fault = store().readOn(reading)
    }
    if (fault === undefined) return reading.result
    // Who asked for no revision has no use for the one of the first part: a later one does as well.
    if (fault !== 'compacted' || request.revision !== undefined) throw refused(fault)
  }
}
