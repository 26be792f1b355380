/** What can be wrong with a log directory, each with what to do next. */
import { type ErrorCode, isJangadaError, JangadaError } from '../../base/errors.ts'
import { DiskError } from '../../ports/disk.ts'

const setAside =
  'Set the data directory aside and start again: the machine joins as a new member and is given ' +
  'the state by the others. If no other voter is left, keep the directory as it is.'

/** After these the log is whole, and may be opened again once a person has seen to the disk. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'JGD_DISK_FULL',
  'JGD_DISK_READ_ONLY',
  'JGD_DISK_REFUSED',
])
/** What the system says of this process, and not of the disk. */
const refusals: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM'])

export const passes = (error: unknown): boolean => isJangadaError(error) && passing.has(error.code)

/** `file` is relative to the data directory; `offset` is where in it the damage begins. */
export function damaged(file: string, offset: number, what: string): JangadaError {
  return new JangadaError('JGD_WAL_DAMAGED', `${file} is damaged at byte ${offset}: ${what}`, {
    hint: setAside,
    details: { file, offset },
  })
}

export function foreign(file: string, what: string): JangadaError {
  return new JangadaError('JGD_WAL_FOREIGN', `${file} belongs to another member: ${what}`, {
    hint: 'Start with the data directory of this very member, or with an empty one.',
    details: { file },
  })
}

export function unknownVersion(file: string, version: number, known: number): JangadaError {
  const message = `${file} has format ${version}, and this Jangada knows format ${known}`
  return new JangadaError('JGD_WAL_VERSION', message, {
    hint: 'Run the version of Jangada that wrote it, or a newer one.',
    details: { file, version },
  })
}

/**
 * What the disk said, with a code. A disk without room, or one that takes no writes, has not lost
 * anything: everything acknowledged was synced before. A sync that fails is another matter, also
 * for lack of room: later reads may show what the medium never took (PostgreSQL's post-mortem,
 * 2018). Not so on a file system that went read-only: it has to be mounted anew. And a system that
 * lets this process open no file has not touched any.
 */
export function diskFailed(what: string, cause: unknown): JangadaError {
  const { reason = '', isOfSync = false } = cause instanceof DiskError ? cause : {}
  if (!isOfSync && (reason === 'ENOSPC' || reason === 'EDQUOT')) {
    return new JangadaError('JGD_DISK_FULL', `no space is left on the disk for ${what}`, {
      hint: 'Make room on the file system of the state directory. The log is kept as it is.',
      cause,
    })
  }
  if (reason === 'EROFS') {
    return new JangadaError('JGD_DISK_READ_ONLY', `the disk takes no writes, for ${what}`, {
      hint:
        'See the kernel log for why, check the file system, mount it for writing again, or ' +
        'restart the machine. The log is kept as it is.',
      cause,
    })
  }
  if (!isOfSync && refusals.has(reason)) {
    return new JangadaError('JGD_DISK_REFUSED', `the system answered ${reason} while ${what}`, {
      hint:
        'Look at how many files (LimitNOFILE) and how much memory this process may have, and at ' +
        'who owns the state directory. The log is kept as it is.',
      cause,
    })
  }
  return new JangadaError('JGD_DISK_FAILED', `the disk failed while ${what}`, {
    hint: 'Look at the free space and the kernel log of this machine. Nothing was retried.',
    cause,
  })
}
