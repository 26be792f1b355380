/** The API: a request in, an answer out. The web server only carries them. */
import { describeError, isJangadaError, JangadaError } from '../../base/errors.ts'
import { authorize } from './auth.ts'
import type { ApiContext } from './context.ts'
import { drainRoutes } from './drain.ts'
import { enrolmentRoutes } from './enrolment.ts'
import { eventRoutes } from './events.ts'
import { answerFleet, fleetPrefix } from './fleet/fleet.ts'
import { FleetRefusal, fleetRefusal } from './fleet/refusals.ts'
import { imageRoutes } from './images.ts'
import { kvRoutes } from './kv.ts'
import { kvLeaseRoutes } from './kv-leases.ts'
import { kvQuotaRoutes } from './kv-quota.ts'
import { kvTxnRoutes } from './kv-txn.ts'
import { kvWatchRoutes } from './kv-watch.ts'
import { logRoutes } from './logs.ts'
import { leaveRoutes } from './leave.ts'
import { machineRoutes } from './machines.ts'
import { memberRoutes } from './members.ts'
import { type ApiHandler, type ApiRequest, type ApiResponse, json } from './messages.ts'
import { openBodyBytesMax, requestBodyBytesMax } from './messages.ts'
import { planRoutes } from './plan.ts'
import { bootRoute, publicRoutes } from './public.ts'
import { quorumRoutes } from './quorum.ts'
import { rebalanceRoutes } from './rebalance.ts'
import { settingsRoutes } from './settings.ts'
import { Router } from './router.ts'
import { snapshotRoutes } from './snapshot.ts'
import { StatusSource } from './status.ts'
import { tokenRoutes } from './tokens.ts'
import { usageRoutes } from './usage.ts'
import { unitRoutes } from './units.ts'
import { volumeRoutes } from './volumes.ts'
import { unitWriteRoutes } from './unit-writes.ts'

export class Api implements ApiHandler {
  readonly #context: ApiContext
  readonly #router: Router

  constructor(context: ApiContext) {
    this.#context = context
    const status = new StatusSource(context)
    this.#router = new Router([
      // First, because they are asked most often.
      ...kvRoutes(context),
      ...kvTxnRoutes(context),
      ...kvLeaseRoutes(context),
      ...kvWatchRoutes(context),
      ...kvQuotaRoutes(context),
      ...publicRoutes(context, status),
      ...machineRoutes(context),
      ...drainRoutes(context),
      ...leaveRoutes(context),
      ...rebalanceRoutes(context),
      ...usageRoutes(context),
      ...unitRoutes(context),
      ...unitWriteRoutes(context),
      ...planRoutes(context),
      ...logRoutes(context),
      ...tokenRoutes(context),
      ...enrolmentRoutes(context),
      ...eventRoutes(context),
      ...imageRoutes(context),
      ...snapshotRoutes(context),
      ...memberRoutes(context),
      ...quorumRoutes(context),
      ...settingsRoutes(context),
      ...volumeRoutes(context),
    ])
  }

  /** Never rejects: every error is `{"error": {code, message, hint?, details?}}`. */
  async handle(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse> {
    try {
      if (request.door === 'plain' && request.path.startsWith('/boot/')) {
        return await bootRoute(this.#context, request)
      }
      if (isFleets(request)) return await answerFleet(this.#context, request)
      const { route, parameters } = this.#router.find(request)
      await authorize(this.#context, request, route.access)
      const bytesMax = route.access === 'open' ? openBodyBytesMax : requestBodyBytesMax
      const body = route.method === 'GET' ? undefined : await request.readBody(bytesMax)
      return await route.handle({ ...request, body, parameters, signal })
    } catch (error) {
      return this.#refusal(request, error)
    }
  }

  #refusal(request: ApiRequest, error: unknown): ApiResponse {
    if (error instanceof FleetRefusal) return fleetRefusal(error.status, error.message)
    const coded = this.#coded(request, error)
    if (!isFleets(request)) return errorResponse(coded)
    const { status, message, hint } = coded
    return fleetRefusal(status, hint === undefined ? message : `${message}; ${hint}`)
  }

  #coded(request: ApiRequest, error: unknown): JangadaError {
    if (isJangadaError(error)) return error
    // The cause may hold anything, so it goes to this machine's log and not to the client.
    this.#context.log.error('a request failed', {
      method: request.method,
      cause: describeError(error),
    })
    return new JangadaError('JGD_INTERNAL', 'this node failed to answer', {
      hint: `see the log of ${this.#context.name}`,
    })
  }
}

/** fleet's clients speak to whoever knows who asks; the plain door knows nobody. */
const isFleets = ({ door, path }: ApiRequest): boolean =>
  door !== 'plain' && (path === fleetPrefix || path.startsWith(`${fleetPrefix}/`))

export const errorResponse = (error: JangadaError): ApiResponse =>
  json({ error: error.toBody() }, error.status)
