/** Who asks, and whether they may. */
import { JangadaError } from '../../base/errors.ts'
import { admissions } from '../../core/records/keyspace.ts'
import { isListedKey } from '../../core/trust/admission.ts'
import type { ApiScope } from '../../core/trust/token-check.ts'
import { authorizeBearer } from '../enrol/tokens.ts'
import type { ApiContext } from './context.ts'
import type { ApiRequest } from './messages.ts'

/**
 * What a route asks for. `open` needs nothing (or brings its own proof), `machine` the
 * certificate of a listed machine, the others a token of at least that scope.
 */
export type Access = 'open' | 'machine' | ApiScope

/**
 * Rejects with JGD_UNAUTHENTICATED, JGD_FORBIDDEN, JGD_TOKEN_INVALID, JGD_TOKEN_EXPIRED,
 * JGD_KEY_UNKNOWN or JGD_WRONG_CLUSTER. Only root can open the socket, so it may do everything
 * there; a machine's certificate reads and deploys.
 */
export async function authorize(
  context: ApiContext,
  request: ApiRequest,
  access: Access,
): Promise<void> {
  if (access === 'open') return
  if (access !== 'machine') {
    if (request.door === 'socket') return
    if (request.bearer !== undefined) {
      await authorizeBearer(context, request.bearer, access)
      return
    }
  }
  if (request.peerRefusal !== undefined) {
    const { code, message } = request.peerRefusal
    throw new JangadaError(code, message)
  }
  if (request.peer === undefined) throw unauthenticated(access)
  await requireListed(context, request.peer)
  // Its holder may write anything through the peer door, so `deploy` gives nothing away; it is what a
  // fleetctl with a client certificate needs (docs/decisions/any-machine-may-write.md).
  if (access !== 'admin') return
  throw new JangadaError('JGD_FORBIDDEN', "a machine's certificate is no administrator's", {
    hint: `send a token: jangada token create --scope ${access}`,
  })
}

/** From this node's own copy, so that a node without quorum still answers. */
async function requireListed(
  { store }: ApiContext,
  { machineId, keyHash }: { readonly machineId: string; readonly keyHash: string },
): Promise<void> {
  const { items } = await store.range({ key: admissions.key(machineId) }, 'local')
  const admission = items[0] === undefined ? undefined : admissions.read(items[0])?.value
  if (isListedKey(admission, keyHash)) return
  throw new JangadaError('JGD_KEY_UNKNOWN', `the key of machine ${machineId} is not listed`, {
    hint: 'it was removed, or never admitted: jangada join',
  })
}

const unauthenticated = (access: Access): JangadaError =>
  access === 'machine'
    ? new JangadaError('JGD_UNAUTHENTICATED', "this asks for a machine's certificate")
    : new JangadaError('JGD_UNAUTHENTICATED', 'this door asks for a token', {
        hint: 'send "Authorization: Bearer A1.…"; `jangada token create --scope read` makes one',
      })
