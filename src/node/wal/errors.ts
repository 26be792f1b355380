/** What can be wrong with a log directory, each with what to do next. */
import { JangadaError } from '../../base/errors.ts'

const setAside =
  'Set the data directory aside and start again: the machine joins as a new member and is given ' +
  'the state by the others. If no other voter is left, keep the directory as it is.'

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

export function diskFailed(what: string, cause: unknown): JangadaError {
  return new JangadaError('JGD_DISK_FAILED', `the disk failed while ${what}`, {
    hint: 'Look at the free space and the kernel log of this machine. Nothing was retried.',
    cause,
  })
}
