/** Who the members are and where their doors stand, as a store tells it. */
import { type MemberId, memberId } from '../../base/ids.ts'
import { members } from '../../core/records/keyspace.ts'
import type { MemberRecord } from '../../core/records/schemas.ts'
import type { KeyValue } from '../../core/store/types.ts'
import type { StreamAddress } from '../../ports/streams.ts'

export interface KnownMember {
  readonly id: MemberId
  readonly machineId: string
  readonly address: StreamAddress
}

/** `host:port`, as member records and `peers.json` write it; undefined when it is not that. */
export function parseAddress(text: string): StreamAddress | undefined {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (colon < 1 || !Number.isSafeInteger(port) || port < 1 || port > 65_535) return undefined
  return { host: text.slice(0, colon), port }
}

export const formatAddress = (address: StreamAddress): string => `${address.host}:${address.port}`

export function readMembers(items: readonly KeyValue[]): KnownMember[] {
  return items.flatMap((item) => {
    const record = members.read(item)?.value
    return record === undefined ? [] : (toKnownMember(record) ?? [])
  })
}

/** Undefined when the record's address cannot be read. */
export function toKnownMember(record: MemberRecord): KnownMember | undefined {
  const address = parseAddress(record.address)
  if (address === undefined) return undefined
  return { id: memberId(record.memberId), machineId: record.machineId, address }
}
