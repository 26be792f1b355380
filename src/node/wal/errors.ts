/** What can be wrong with a log directory, each with what to do next. */
import { type ErrorCode, isJangadaError, JangadaError } from '../../base/errors.ts'
import { DiskError } from '../../ports/disk.ts'

const setAside =
  'Set the data directory aside and start again: the machine joins as a new member and is given ' +
  'the state by the others. If no other voter is left, keep the directory as it is.'

export const newerVersion = 'Run the version of Jangada that wrote it, or a newer one.'

/** After these the log is whole, and may be opened again once a person has seen to the disk. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'JGD_DISK_FULL',
  'JGD_DISK_READ_ONLY',
  'JGD_DISK_REFUSED',
])
/** What the system says of this process, and not of the disk. */
const refusals: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM'])

export const passes = (error: unknown): boolean => isJangadaError(error) && passing.has(error.code)

/** After these nobody can say what the log holds: it is set aside. After no other error it is. */
const spoiling: ReadonlySet<ErrorCode> = new Set([
  'JGD_WAL_DAMAGED',
  'JGD_WAL_FOREIGN',
  'JGD_DISK_FAILED',
])

export const spoils = (error: unknown): boolean => isJangadaError(error) && spoiling.has(error.code)

/** Of a file that was closed already: no disk says that, only a mistake of ours brings it about. */
const ofClosedFile = 'EBADF'

/** Whether it is the disk that failed, and not our own code on the way to it. */
export const isOfDisk = (error: unknown): error is DiskError =>
  error instanceof DiskError && error.reason !== ofClosedFile

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
    hint: newerVersion,
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
export function diskFailed(what: string, cause: DiskError): JangadaError {
  const { reason, isOfSync } = cause
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

/** What is on disk is as it would be after a crash at that moment, and can be read back. */
export function ownMistake(message: string, cause?: unknown): JangadaError {
  return new JangadaError('JGD_INTERNAL', message, {
    hint:
      'Start it again. If that brings the same, run another version, and send this line to its ' +
      'makers. The log is kept as it is.',
    cause,
  })
}
