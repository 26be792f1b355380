/** Where a member's log lies below the state directory, and how it is set aside. */
import { describeError } from '../../base/errors.ts'
import type { Disk } from '../../ports/disk.ts'
import type { Log } from '../../ports/log.ts'

export const walDirectory = 'wal'
export const asidePrefix = `${walDirectory}.aside-`
/** Logs set aside that are kept for whoever wants to look; the oldest go. */
const asideMax = 2

export const asideNext =
  'nothing, as long as a majority of the voters is left: the log is kept beside, as ' +
  `${asidePrefix}TIME, and the cluster makes this machine a new member by itself. Else see ` +
  '"jangada recover --help"'

/**
 * Renames the log's directory, durably, and removes all but the last two set aside before. Best
 * effort, and never rejects: on a disk that fails, the next start finds the same and tries again.
 */
export async function setLogAside(disk: Disk, wallMs: number, log: Log): Promise<void> {
  try {
    if (!(await disk.exists(walDirectory))) return
    const name = `${asidePrefix}${Math.floor(wallMs)}`
    await disk.rename(walDirectory, name)
    await disk.syncDirectory('')
    const kept = (await disk.list('')).filter((each) => each.startsWith(asidePrefix))
    for (const old of kept.slice(0, -asideMax)) await disk.remove(old)
  } catch (error) {
    log.error('the log could not be set aside', { cause: describeError(error) })
  }
}
