/** Where a member's log lies below the state directory, and how it is set aside. */
import { describeError } from '../../base/errors.ts'
import type { Disk } from '../../ports/disk.ts'
import type { Log } from '../../ports/log.ts'

export const walDirectory = 'wal'
export const asidePrefix = `${walDirectory}.aside-`
/** Logs set aside that are kept for whoever wants to look; the oldest go. */
const asideMax = 2
/** Milliseconds, exactly as a number is written. */
const stampPattern = /^(0|[1-9]\d{0,14})$/

export const asideNext =
  'nothing, as long as a majority of the voters is left: the log is kept beside, as ' +
  `${asidePrefix}TIME, and the cluster makes this machine a new member by itself. Else see ` +
  '"jangada recover --help"'

/** A name for the log set aside now: newer than any that is there, whatever the clock says. */
export async function nameAside(disk: Disk, wallMs: number): Promise<string> {
  const newest = (await stampsAside(disk)).at(-1) ?? -1
  return `${asidePrefix}${Math.max(Math.floor(wallMs), newest + 1)}`
}

/**
 * Renames the log's directory, durably, and removes all but the last two set aside, never the one
 * set aside now. Best effort, and never rejects: on a disk that fails, the next start finds the
 * same and tries again.
 */
export async function setLogAside(disk: Disk, wallMs: number, log: Log): Promise<void> {
  try {
    if (!(await disk.exists(walDirectory))) return
    await disk.rename(walDirectory, await nameAside(disk, wallMs))
    await disk.syncDirectory('')
    const old = (await stampsAside(disk)).slice(0, -asideMax)
    for (const stamp of old) await disk.remove(`${asidePrefix}${stamp}`)
  } catch (error) {
    log.error('the log could not be set aside', { cause: describeError(error) })
  }
}

/** When logs were set aside, ascending. A name that somebody else gave is that person's. */
async function stampsAside(disk: Disk): Promise<readonly number[]> {
  return (await disk.list(''))
    .filter((name) => name.startsWith(asidePrefix))
    .map((name) => name.slice(asidePrefix.length))
    .filter((stamp) => stampPattern.test(stamp))
    .map(Number)
    .toSorted((a, b) => a - b)
}
