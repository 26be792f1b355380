/** Who the members are and where their doors stand, as a store tells it. */
import { type MemberId, memberId, type Revision } from '../../base/ids.ts'
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

interface ReadMember {
  readonly revision: Revision
  readonly known: KnownMember | undefined
}

/**
 * Member records as they were read last: every message to a member asks for its address. Those of
 * members that went are forgotten with the next reading of all.
 */
export class MemberDirectory {
  #read = new Map<string, ReadMember>()

  /** `items` of one cluster's store: in it, a key's revision says what its value is. */
  read(items: readonly KeyValue[]): KnownMember[] {
    const read = new Map<string, ReadMember>()
    const all: KnownMember[] = []
    for (const item of items) {
      const known = this.readOne(item)
      read.set(item.key, { revision: item.modRevision, known })
      if (known !== undefined) all.push(known)
    }
    this.#read = read
    return all
  }

  readOne(item: KeyValue): KnownMember | undefined {
    const before = this.#read.get(item.key)
    if (before?.revision === item.modRevision) return before.known
    const known = knownMemberOf(item)
    this.#read.set(item.key, { revision: item.modRevision, known })
    return known
  }
}

function knownMemberOf(item: KeyValue): KnownMember | undefined {
  const record = members.read(item)?.value
  return record === undefined ? undefined : toKnownMember(record)
}

/** Undefined when the record's address cannot be read. */
export function toKnownMember(record: MemberRecord): KnownMember | undefined {
  const address = parseAddress(record.address)
  if (address === undefined) return undefined
  return { id: memberId(record.memberId), machineId: record.machineId, address }
}
