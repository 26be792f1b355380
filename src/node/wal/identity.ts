/**
 * Whose log a directory holds. A member's promises (its votes, its acknowledgements) are in its
 * log, so a directory without an identity is a new member, always: nobody may come back under an
 * old id with an empty log.
 */
import { crc32 } from '../../base/crc32.ts'
import { fromUtf8, utf8 } from '../../base/bytes.ts'
import { type ClusterId, clusterId, type MemberId, memberId } from '../../base/ids.ts'
import { type Disk, replaceFile } from '../../ports/disk.ts'
import { damaged, unknownVersion } from './errors.ts'
import { type WalPaths } from './paths.ts'

export interface WalIdentity {
  readonly clusterId: ClusterId
  readonly memberId: MemberId
  /** 32 hex digits, drawn anew for each data directory: a copy brought back late differs. */
  readonly incarnation: string
}

export const identityFormat = 1
const hexId = /^[0-9a-f]{32}$/

/**
 * One line of JSON and one of its CRC, so that people can read it. Written last when a directory
 * is made: a directory whose making was cut short has none.
 */
export async function writeIdentity(
  disk: Disk,
  paths: WalPaths,
  identity: WalIdentity,
): Promise<void> {
  const line = JSON.stringify({ format: identityFormat, ...identity })
  await replaceFile(disk, paths.identity, utf8(`${line}\n${checksum(line)}\n`))
}

/** Undefined when there is none. Rejects with JGD_WAL_DAMAGED or JGD_WAL_VERSION. */
export async function readIdentity(disk: Disk, paths: WalPaths): Promise<WalIdentity | undefined> {
  if (!(await disk.exists(paths.identity))) return undefined
  const [line = '', sum = ''] = fromUtf8(await disk.readFile(paths.identity)).split('\n')
  if (checksum(line) !== sum) throw damaged(paths.identity, 0, 'its checksum does not match')
  const fields = JSON.parse(line) as Record<string, unknown>
  if (fields['format'] !== identityFormat) {
    throw unknownVersion(paths.identity, Number(fields['format']), identityFormat)
  }
  const { clusterId: cluster, memberId: member, incarnation } = fields
  const isWhole =
    typeof cluster === 'string' &&
    hexId.test(cluster) &&
    Number.isSafeInteger(member) &&
    typeof incarnation === 'string' &&
    hexId.test(incarnation)
  if (!isWhole) throw damaged(paths.identity, 0, 'a field is missing')
  return { clusterId: clusterId(cluster), memberId: memberId(member as number), incarnation }
}

export function sameIdentity(a: WalIdentity, b: WalIdentity): boolean {
  return a.clusterId === b.clusterId && a.memberId === b.memberId && a.incarnation === b.incarnation
}

const checksum = (line: string): string => crc32(utf8(line)).toString(16).padStart(8, '0')
