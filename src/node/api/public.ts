/** What anyone may ask: `/health`, `/status`, `/metrics`; and `/boot/…` on boot links. */
import { JangadaError } from '../../base/errors.ts'
import type { HealthAnswer } from './answers.ts'
import type { ApiContext } from './context.ts'
import { type ApiRequest, type ApiResponse, json } from './messages.ts'
import { pageHeaders, statusPage, type PublicStatus } from './page.ts'
import { everyDoor, type Route } from './router.ts'
import { publicEventRow, publicUnitRow } from './rows.ts'
import { statusCounts, statusReport, type StatusSource, viewOrCutOff } from './status.ts'

const noStore = { 'cache-control': 'no-store' }

export function publicRoutes(context: ApiContext, source: StatusSource): Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      access: 'open',
      doors: everyDoor,
      handle: () => health(context),
    },
    {
      method: 'GET',
      path: '/status',
      access: 'open',
      doors: everyDoor,
      handle: (request) => status(context, source, request),
    },
    {
      method: 'GET',
      path: '/',
      access: 'open',
      doors: everyDoor,
      handle: () =>
        Promise.resolve({ status: 302, headers: { location: '/status' }, body: { kind: 'none' } }),
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'open',
      doors: everyDoor,
      handle: async () => {
        const { text, contentType } = await context.metricsText()
        return { status: 200, headers: noStore, body: { kind: 'text', text, type: contentType } }
      },
    },
    {
      method: 'GET',
      path: '/v1/status',
      access: 'read',
      handle: async () => json(statusReport(context, await source.see())),
    },
  ]
}

/** 503 says to a load balancer that this node can promise nothing at present. */
async function health(context: ApiContext): Promise<ApiResponse> {
  const { role, leader, hasQuorum } = await viewOrCutOff(context)
  const answer: HealthAnswer = { ok: hasQuorum, role, leader: leader ?? null, hasQuorum }
  return { ...json(answer, hasQuorum ? 200 : 503), headers: noStore }
}

async function status(
  context: ApiContext,
  source: StatusSource,
  request: ApiRequest,
): Promise<ApiResponse> {
  const seen = await source.see()
  if (seen.setting === 'off') {
    throw new JangadaError('JGD_FORBIDDEN', 'this cluster does not tell its status openly', {
      hint: 'ask with a token: /v1/status on port 7381',
    })
  }
  const told = seen.setting === 'counts' ? statusCounts(context, seen) : publicReport(context, seen)
  if (!wantsHtml(request)) return { ...json(told), headers: noStore }
  const page = statusPage(told, context.clock.wallMs())
  return {
    status: 200,
    headers: pageHeaders,
    body: { kind: 'text', text: page, type: 'text/html; charset=utf-8' },
  }
}

/** What a unit says, and an engine of it, can hold secrets of its command line: that is not public. */
function publicReport(
  context: ApiContext,
  seen: Awaited<ReturnType<StatusSource['see']>>,
): PublicStatus {
  const report = statusReport(context, seen)
  const events = report.events.map(publicEventRow)
  return { ...report, units: report.units.map(publicUnitRow), events }
}

/** Browsers name it first; curl and programs say that anything will do. */
const wantsHtml = ({ headers }: ApiRequest): boolean =>
  (headers['accept'] ?? '').split(',').some((type) => type.trim().startsWith('text/html'))

export async function bootRoute(context: ApiContext, request: ApiRequest): Promise<ApiResponse> {
  if (context.bootRoutes === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', 'this node boots no machines', {
      hint: 'start it with --link INTERFACE',
    })
  }
  const { method, path, query, headers, remoteAddress, localAddress } = request
  const boot = { method, path, query, headers, remoteAddress, localAddress }
  const { status: code, headers: told, body } = await context.bootRoutes(boot)
  const type = told['content-type'] ?? 'application/octet-stream'
  if (typeof body === 'string') {
    return { status: code, headers: told, body: { kind: 'text', text: body, type } }
  }
  if (body instanceof Uint8Array) {
    return { status: code, headers: told, body: { kind: 'bytes', bytes: body } }
  }
  return { status: code, headers: told, body: { kind: 'stream', chunks: body, type } }
}
