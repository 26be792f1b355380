/**
 * `GET /v1/kv/watch`: changes of a range as server-sent events (HTML standard, 9.2). Each event's
 * id is a revision up to which everything was told, so a client that comes back with it in
 * `Last-Event-ID`, to this node or another, goes on without gap or duplicate.
 *
 * A client that reads slowly slows its own watch and nothing else: no more than one event is
 * rendered ahead of it, and beyond a bounded queue the watch reads on from the store's history.
 */
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
import { faultOfRange } from '../../core/store/check.ts'
import type { EventBatch, StoreEvent } from '../../core/store/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import { authorize } from './auth.ts'
import { badRequest, numberOf } from './check.ts'
import type { ApiContext } from './context.ts'
import { encodingFrom, selectionFrom } from './kv.ts'
import type { KvEncoding, KvEvent } from './kv-answers.ts'
import { isSystemKey, isSystems, itemOf, type Selection } from './kv-shapes.ts'
import type { ApiResponse } from './messages.ts'
import type { Route, RoutedRequest } from './router.ts'

/** A connection that carries nothing is cut by what lies between; and a dead client is found. */
const keepAliveMs = 15_000

export function kvWatchRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/kv/watch',
      access: 'read',
      handle: (request) => watch(context, request),
    },
  ]
}

async function watch(context: ApiContext, request: RoutedRequest): Promise<ApiResponse> {
  const selection = selectionFrom(request)
  const encoding = encodingFrom(request)
  const fault = faultOfRange(selection)
  if (fault !== undefined) throw badRequest(fault)
  if (isSystems(selection)) await authorize(context, request, 'admin')
  const from = await startOf(context, selection, startFrom(request))
  const watching = new AbortController()
  const stop = (): void => watching.abort()
  request.signal.addEventListener('abort', stop, { once: true })
  const batches = context.store.watch({ ...selection, fromRevision: from }, watching.signal)
  const render = { isAdmins: isSystems(selection), encoding }
  const chunks = streamOf(context, batches[Symbol.asyncIterator](), from, render, watching)
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: { kind: 'stream', chunks, type: 'text/event-stream' },
  }
}

/** The revision to begin with: undefined is the next one. */
function startFrom(request: RoutedRequest): Revision | undefined {
  const last = request.headers['last-event-id']
  if (last !== undefined && last !== '') {
    if (!/^\d{1,15}$/.test(last)) throw badRequest('Last-Event-ID is the id of an event of a watch')
    return revision(Number(last) + 1)
  }
  const given = numberOf(request, 'revision', { fallback: 0, min: 1, max: maxRevision })
  return given === 0 ? undefined : revision(given)
}

const maxRevision = 999_999_999_999_999

/**
 * What the history no longer holds, or the store has not come to, is refused with a status that
 * ends a browser's own attempts to come back. Rejects with JGD_COMPACTED, JGD_FUTURE_REVISION,
 * or JGD_NO_QUORUM when only a quorum could tell.
 */
async function startOf(
  { store }: ApiContext,
  selection: Selection,
  asked: Revision | undefined,
): Promise<Revision> {
  const look = { ...selection, limit: 1, keysOnly: true }
  if (asked === undefined) {
    const now = await store.range(look, 'linearizable')
    return revision(now.revision + 1)
  }
  const own = await store.range(look, 'local')
  if (asked <= own.revision) await store.range({ ...look, revision: asked }, 'local')
  else if (asked > own.revision + 1) {
    const now = await store.range(look, 'linearizable')
    if (asked > now.revision + 1) {
      throw new JangadaError('JGD_FUTURE_REVISION', `the store is at revision ${now.revision}`, {
        hint: 'was it restored from a copy? list the range again and watch from there',
        details: { revision: now.revision },
      })
    }
  }
  return asked
}

interface Rendering {
  readonly isAdmins: boolean
  readonly encoding: KvEncoding | undefined
}

async function* streamOf(
  { clock }: ApiContext,
  batches: AsyncIterator<EventBatch>,
  from: Revision,
  rendering: Rendering,
  watching: AbortController,
): AsyncGenerator<string> {
  let next: Promise<IteratorResult<EventBatch>> | undefined
  try {
    yield eventText('progress', from - 1, { revision: from - 1 })
    for (;;) {
      next ??= batches.next()
      const told = await withinQuiet(clock, next)
      if (watching.signal.aborted) return
      if (told === undefined) {
        yield ': nothing new\n\n'
        continue
      }
      next = undefined
      if (told.done === true) return
      yield batchText(told.value, rendering)
    }
  } catch (error) {
    // It has begun with status 200, so the refusal comes as an event of its own.
    yield eventText('error', undefined, bodyOf(error))
  } finally {
    watching.abort()
    next?.catch(() => undefined)
    await batches.return?.()
  }
}

/** Undefined when nothing came in time; `next` still counts then. */
async function withinQuiet<T>(clock: Clock, next: Promise<T>): Promise<T | undefined> {
  const enough = new AbortController()
  const pause = sleep(clock, keepAliveMs, enough.signal).then(() => undefined)
  try {
    return await Promise.race([next, pause])
  } finally {
    enough.abort()
  }
}

function batchText(batch: EventBatch, { isAdmins, encoding }: Rendering): string {
  const events = batch.events
    .filter((event) => isAdmins || !isSystemKey(keyOfEvent(event)))
    .map((event) => rowOf(event, encoding))
  const at = batch.revision
  if (events.length === 0) return eventText('progress', at, { revision: at })
  return eventText('change', at, { revision: at, events })
}

const keyOfEvent = (event: StoreEvent): string =>
  event.kind === 'put' ? event.item.key : event.key

const rowOf = (event: StoreEvent, encoding: KvEncoding | undefined): KvEvent =>
  event.kind === 'put'
    ? { kind: 'put', item: itemOf(event.item, encoding) }
    : { kind: 'delete', key: event.key }

/** JSON has no line breaks of its own, so the data is one line. */
const eventText = (name: string, id: number | undefined, data: unknown): string =>
  `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`

const bodyOf = (error: unknown): unknown =>
  isJangadaError(error)
    ? error.toBody()
    : new JangadaError('JGD_INTERNAL', 'this node failed to go on with the watch').toBody()
