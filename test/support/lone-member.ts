/** A member alone in its cluster, in this process, on a real disk. */
import { type ClusterId } from '../../src/base/ids.ts'
import type { MemberStore } from '../../src/node/member/member-store.ts'
import { Seat } from '../../src/node/member/seat.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { directoryDisk } from '../../src/platform/disk.ts'
import { kernelEntropy } from '../../src/platform/entropy.ts'
import { openLog } from '../../src/platform/log.ts'
import type { Log } from '../../src/ports/log.ts'
import { sleep } from '../../src/ports/clock.ts'
import { lone } from './lone-seat.ts'

const lookMs = 5

export interface LoneMember {
  readonly store: MemberStore
  readonly seat: Seat
  readonly log: Log
}

/**
 * Opens the member whose log is in `directory`, and waits until it leads. `onLine` gets what it logs.
 * A log that fails throws out of the event loop.
 */
export async function openLoneMember(
  directory: string,
  clusterId: ClusterId,
  onLine: (line: string) => void,
): Promise<LoneMember> {
  const clock = systemClock()
  const { log } = await openLog({ level: 'info', write: onLine })
  const seat = new Seat({
    ...{ clusterId, clock, log, ...lone },
    disk: directoryDisk(directory),
    entropy: kernelEntropy(),
    onFatal: (reason) => {
      throw new Error(reason)
    },
    onStopped: () => undefined,
  })
  await seat.open()
  const { store } = seat
  if (store === undefined) throw new Error('there is no member')
  while (store.member.leadership.role !== 'leader') await sleep(clock, lookMs)
  await store.member.barrier()
  return { store, seat, log }
}
