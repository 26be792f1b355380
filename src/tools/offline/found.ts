/** Makes the log of a cluster's only member out of a state that is there already. */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import { index, type MemberId, term } from '../../base/ids.ts'
import type { Store } from '../../core/store/store.ts'
import {
  type LogPosition,
  maxOperationsPerTransaction,
  type Operation,
} from '../../core/store/types.ts'
import { walDirectory } from '../../node/member/log-directory.ts'
import type { WalIdentity } from '../../node/wal/identity.ts'
import { Wal } from '../../node/wal/wal.ts'
import type { Disk } from '../../ports/disk.ts'
import { keysUnder } from './snapshot-file.ts'

/** Applies `operations` to `store`, as the log entry after its last would. */
export function change(store: Store, operations: readonly Operation[]): void {
  const position: LogPosition = {
    index: index(store.appliedIndex + 1),
    term: term(Math.max(1, store.appliedTerm)),
  }
  for (let at = 0; at < operations.length; at += maxOperationsPerTransaction) {
    const then = operations.slice(at, at + maxOperationsPerTransaction)
    const transaction = { compare: [], then, otherwise: [] }
    const { result } = store.apply({ kind: 'transaction', transaction }, position)
    if (result.kind === 'transaction') continue
    throw new JangadaError('JGD_INTERNAL', 'a change of the restored state was refused')
  }
}

/** Returns how many keys there were. */
export function removeUnder(store: Store, prefix: string): number {
  const keys = [...keysUnder(store, prefix)]
  change(
    store,
    keys.map((key) => ({ kind: 'delete', key })),
  )
  return keys.length
}

/** Rejects as `Wal.create`. `store` is the whole state, and `identity`'s member the only voter. */
export async function foundLog(disk: Disk, identity: WalIdentity, store: Store): Promise<void> {
  assert(store.appliedIndex > 0, 'a state that is there has a place in a log')
  let failure: JangadaError | undefined
  const { wal } = await Wal.create(disk, identity, {
    directory: walDirectory,
    onFailure: (error) => {
      failure = error
    },
  })
  const config = onlyVoter(identity.memberId)
  const position = { index: store.appliedIndex, term: store.appliedTerm }
  await wal.writeSnapshot({ ...position, config }, store.snapshotChunks())
  await wal.close()
  if (failure !== undefined) throw failure
}

const onlyVoter = (id: MemberId) => ({
  voters: [id],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
})
