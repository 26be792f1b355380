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
import { foreign } from '../../node/wal/errors.ts'
import type { WalIdentity } from '../../node/wal/identity.ts'
import { identityOf, Wal } from '../../node/wal/wal.ts'
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

/** What is before the last change is no longer told to anybody. */
export function forgetHistory(store: Store): void {
  const position = { index: store.appliedIndex, term: store.appliedTerm }
  const { result } = store.apply({ kind: 'compact', revision: store.revision }, position)
  assert(result.kind === 'compacted', 'the present can always be compacted to')
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

/** Until the log is whole it is no log: a start in between must not take it for one. */
const unfinished = `${walDirectory}.new`

/**
 * `store` is the whole state, and `identity`'s member the only voter. A log that is there gives way
 * to the new one once that is whole, and is kept as `aside`; without that name, what is there is of
 * no member, and goes. Rejects as `Wal.create`, and then everything is as it was.
 */
export async function foundLog(
  disk: Disk,
  identity: WalIdentity,
  store: Store,
  aside?: string,
): Promise<void> {
  assert(store.appliedIndex > 0, 'a state that is there has a place in a log')
  await disk.remove(unfinished)
  try {
    await makeLog(disk, identity, store)
    await takePlace(disk, aside)
  } catch (error) {
    await disk.remove(unfinished)
    throw error
  }
}

async function takePlace(disk: Disk, aside: string | undefined): Promise<void> {
  if (aside === undefined) {
    if ((await identityOf(disk, walDirectory)) !== undefined) {
      throw foreign(walDirectory, 'a new log takes the place of none')
    }
    // The making of a log that was cut short leaves a directory.
    await disk.remove(walDirectory)
  } else await disk.rename(walDirectory, aside)
  try {
    await disk.rename(unfinished, walDirectory)
  } catch (error) {
    if (aside !== undefined) await disk.rename(aside, walDirectory)
    throw error
  }
  await disk.syncDirectory('')
}

async function makeLog(disk: Disk, identity: WalIdentity, store: Store): Promise<void> {
  let failure: JangadaError | undefined
  const { wal } = await Wal.create(disk, identity, {
    directory: unfinished,
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
