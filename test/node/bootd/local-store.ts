/** The real store and watches of one member, without consensus: what it is told is committed. */
import { index, term } from '../../../src/base/ids.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { StoreAccess } from '../../../src/node/member/store-access.ts'
import { WatchHub } from '../../../src/node/member/watch-hub.ts'

export type LocalAccess = Pick<StoreAccess, 'transact' | 'range' | 'watch'>

export interface LocalStore {
  readonly store: Store
  readonly access: LocalAccess
}

export function localStore(): LocalStore {
  const store = new Store()
  const hub = new WatchHub(() => store)
  let at = 0
  return {
    store,
    access: {
      transact: async (transaction) => {
        at += 1
        const position = { index: index(at), term: term(1) }
        const { result, batch } = store.apply({ kind: 'transaction', transaction }, position)
        if (result.kind !== 'transaction') throw new Error(JSON.stringify(result))
        if (batch !== undefined) hub.publish(batch)
        return result
      },
      range: async (request) => {
        const answer = store.range(request)
        if (answer.kind !== 'range') throw new Error(answer.kind)
        return answer.result
      },
      watch: (request, signal) => hub.watch(request, signal),
    },
  }
}
