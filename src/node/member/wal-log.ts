/** `MemberLog` kept by `node/wal`. */
import { JangadaError } from '../../base/errors.ts'
import type { SnapshotRef } from '../../core/raft/types.ts'
import type { Wal } from '../wal/wal.ts'
import type { MemberLog, SnapshotReceiver } from './member-log.ts'

export function walLog(wal: Wal): MemberLog {
  return {
    append: ({ hardState, truncateFrom, entries, snapshot, mustSync }) =>
      wal.append({
        entries,
        mustSync,
        ...(hardState === undefined ? {} : { hardState }),
        ...(truncateFrom === undefined ? {} : { truncateFrom }),
        ...(snapshot === undefined ? {} : { snapshot }),
      }),
    writeSnapshot: async (snapshot, pieces) => {
      await wal.writeSnapshot(snapshot, pieces)
      await wal.release(snapshot.index)
    },
    readSnapshot: (snapshot) => readPieces(wal, snapshot),
    // Who is sent one after the other may never come to write, and so to release, its own.
    restored: (snapshot) => wal.release(snapshot.index),
    receiveSnapshot: async (snapshot): Promise<SnapshotReceiver> => {
      const stage = await wal.stageSnapshot(snapshot)
      return {
        write: (piece) => stage.write(piece),
        finish: () => stage.end(),
        abort: () => stage.abandon(),
      }
    },
    close: () => wal.close(),
  }
}

async function* readPieces(wal: Wal, snapshot: SnapshotRef): AsyncGenerator<Uint8Array> {
  const reading = await wal.readSnapshot(snapshot.index)
  if (reading === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', `snapshot ${snapshot.index} is not here any more`)
  }
  yield* reading.pieces
}
