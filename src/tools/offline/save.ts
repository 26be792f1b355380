/** Takes a snapshot in from a node, whole or not at all. */
import { open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'
import { verifySnapshot, type SnapshotReport } from './snapshot-file.ts'

/** Readable by its owner alone: everything that the cluster knows is in it. */
const fileMode = 0o600

/**
 * The file has its name once it is whole, verified and durable. Rejects with JGD_CONFLICT when
 * there is one already and `replace` is not set, JGD_WAL_DAMAGED when what came is no whole
 * snapshot, or JGD_DISK_FAILED; nothing is left behind then.
 */
export async function saveSnapshot(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  { replace }: { readonly replace: boolean },
): Promise<SnapshotReport> {
  if (!replace && (await stat(file).catch(() => undefined)) !== undefined) {
    throw new JangadaError('JGD_CONFLICT', `${file} is there already`, {
      hint: 'name another file, or add --replace',
    })
  }
  const part = `${file}.part`
  try {
    await write(part, chunks)
    const report = await verifySnapshot(part)
    await rename(part, file)
    await syncDirectory(path.dirname(path.resolve(file)))
    return { ...report, path: file }
  } catch (error) {
    await rm(part, { force: true })
    if (!(error instanceof Error) || !('code' in error) || error instanceof JangadaError)
      throw error
    throw new JangadaError('JGD_DISK_FAILED', `${file} cannot be written: ${String(error.code)}`, {
      hint: 'is there room, and may you write there?',
      cause: error,
    })
  }
}

async function write(part: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await rm(part, { force: true })
  const handle = await open(part, 'wx', fileMode)
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
