/** A copy of the cluster's state, made while it runs. */
import { JangadaError } from '../../base/errors.ts'
import { resume } from './begun-stream.ts'
import type { ApiContext } from './context.ts'
import type { Route } from './router.ts'

export function snapshotRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/snapshot',
      // It has everything in it, sealed secrets and hashes of tokens too.
      access: 'admin',
      handle: async ({ signal }) => {
        const { saveSnapshot } = context
        if (saveSnapshot === undefined) {
          throw new JangadaError('JGD_NOT_FOUND', 'this node saves no snapshots')
        }
        const chunks = await begun(saveSnapshot(signal))
        return { status: 200, body: { kind: 'stream', chunks, type: 'application/octet-stream' } }
      },
    },
  ]
}

/** What goes wrong before the first byte is an answer with a code, and not a stream that breaks. */
async function begun(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = iterator.next()
  await first
  return resume(iterator, first)
}
