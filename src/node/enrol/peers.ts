/** Where the cluster can be found: the peer doors of its Raft members. */
import { members } from '../../core/records/keyspace.ts'
import type { EnrolStore } from './context.ts'
import type { Peer } from './messages.ts'

/** From this node's own copy: a list that is a moment old still leads to the cluster. */
export async function readPeersOf(store: EnrolStore): Promise<Peer[]> {
  const { items } = await store.range(members.range, 'local')
  return items.flatMap((item) => {
    const member = members.read(item)?.value
    return member === undefined ? [] : [{ machineId: member.machineId, address: member.address }]
  })
}
