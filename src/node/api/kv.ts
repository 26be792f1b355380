/**
 * The store's keys for people and programs: `/v1/kv`. A key is given in the query, because it may
 * hold any character, slashes and all. Keys under `/jangada/` are the system's: nothing here
 * writes them, and reading them takes the scope `admin`.
 */
import * as Type from 'typebox'
import { concat } from '../../base/bytes.ts'
import { revision } from '../../base/ids.ts'
import { faultOfRange, faultOfTransaction } from '../../core/store/check.ts'
import {
  maxKeyLength,
  type Compare,
  type KeyValue,
  maxRowsPerRange,
  maxValueBytes,
  type RangeRequest,
  type RangeResult,
  type Transaction,
} from '../../core/store/types.ts'
import type { Consistency, TransactionResult } from '../member/store-access.ts'
import { authorize } from './auth.ts'
import { badRequest, bodyReader, flagOf, numberOf } from './check.ts'
import type { ApiContext } from './context.ts'
import type {
  KvCasAnswer,
  KvCompactAnswer,
  KvDeleteAnswer,
  KvEncoding,
  KvGetAnswer,
  KvListAnswer,
  KvPutAnswer,
  KvRead,
} from './kv-answers.ts'
import {
  isSystems,
  itemOf,
  keyOf,
  refuseSystem,
  type Selection,
  selectionOf,
  valueOf,
  valueTooLarge,
  withoutSystem,
} from './kv-shapes.ts'
import { type ApiRequest, type ApiResponse, json } from './messages.ts'
import type { Route, RoutedRequest } from './router.ts'

/** Keys in one answer; its bytes are bounded by the store. */
export const pageKeys = maxRowsPerRange

/** Beyond it a number of JSON is not the one that was meant. */
export const revisionSchema = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
export const encodingSchema = Type.Union([Type.Literal('utf8'), Type.Literal('base64')])

const closed = { additionalProperties: false }
const readPut = bodyReader(
  Type.Object(
    {
      value: Type.String(),
      encoding: Type.Optional(encodingSchema),
      lease: Type.Optional(Type.String()),
    },
    closed,
  ),
)
const readCas = bodyReader(
  Type.Object(
    {
      key: Type.String(),
      expected: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      expectedEncoding: Type.Optional(encodingSchema),
      modRevision: Type.Optional(Type.Union([Type.Literal(0), revisionSchema])),
      value: Type.Union([Type.String(), Type.Null()]),
      encoding: Type.Optional(encodingSchema),
      lease: Type.Optional(Type.String()),
    },
    closed,
  ),
)
const readCompact = bodyReader(Type.Object({ revision: revisionSchema }, closed))

export function kvRoutes(context: ApiContext): Route[] {
  const path = '/v1/kv'
  const at = (
    method: Route['method'],
    access: Route['access'],
    route: string,
    answer: (context: ApiContext, request: RoutedRequest) => Promise<unknown>,
  ): Route => ({
    method,
    path: route,
    access,
    handle: async (request): Promise<ApiResponse> => json(await answer(context, request)),
  })
  return [
    at('GET', 'read', path, read),
    at('PUT', 'deploy', path, put),
    at('DELETE', 'deploy', path, remove),
    at('POST', 'deploy', `${path}/cas`, compareAndSwap),
    at('POST', 'admin', `${path}/compact`, compact),
  ]
}

/** Throws JGD_BAD_REQUEST. */
export const selectionFrom = ({ query }: ApiRequest): Selection =>
  selectionOf({
    key: query.get('key'),
    prefix: query.get('prefix'),
    from: query.get('from'),
    end: query.get('end'),
  })

export function encodingFrom({ query }: ApiRequest): KvEncoding | undefined {
  const text = query.get('encoding')
  if (text === undefined || text === 'utf8' || text === 'base64') return text
  throw badRequest('encoding is utf8 or base64')
}

function consistencyFrom({ query }: ApiRequest): Consistency {
  const text = query.get('consistency') ?? 'linearizable'
  if (text === 'linearizable' || text === 'local') return text
  throw badRequest('consistency is linearizable or local')
}

async function read(context: ApiContext, request: RoutedRequest): Promise<unknown> {
  const selection = selectionFrom(request)
  const encoding = encodingFrom(request)
  const consistency = consistencyFrom(request)
  const keysOnly = flagOf(request, 'keysOnly')
  if (isSystems(selection)) await authorize(context, request, 'admin')
  const range = rangeFrom(request, selection, keysOnly)
  // Asked before the read: what is read may be newer than this says, and is never older.
  const staleForMs = consistency === 'local' ? (await context.store.view()).staleForMs : 0
  const result = await rangeForUsers(context, range, consistency)
  const told: KvRead = {
    revision: range.revision ?? result.revision,
    consistency,
    staleForMs: Math.round(staleForMs),
  }
  const row = (item: KeyValue) => (keysOnly ? keyOf(item) : itemOf(item, encoding))
  if (selection.rangeEnd !== undefined) {
    const answer: KvListAnswer = { ...told, items: result.items.map(row), more: result.more }
    return answer
  }
  const [item] = result.items
  const answer: KvGetAnswer = { ...told, item: item === undefined ? null : row(item) }
  return answer
}

function rangeFrom(request: ApiRequest, selection: Selection, keysOnly: boolean): RangeRequest {
  const limit = numberOf(request, 'limit', { fallback: pageKeys, min: 1, max: pageKeys })
  const at = numberOf(request, 'revision', { fallback: 0, min: 1, max: Number.MAX_SAFE_INTEGER })
  const after = request.query.get('after')
  const key = after === undefined ? selection.key : pageStart(selection, after)
  const range: RangeRequest = {
    ...selection,
    key,
    limit,
    ...(at === 0 ? {} : { revision: revision(at) }),
    ...(keysOnly ? { keysOnly } : {}),
  }
  // A page may begin just behind the longest key, where no key is.
  const fault = faultOfRange({ ...range, key: selection.key })
  if (fault !== undefined) throw badRequest(fault)
  return range
}

function pageStart({ key, rangeEnd }: Selection, after: string): string {
  if (rangeEnd === undefined) throw badRequest('after is for lists: give a prefix, or from and end')
  if (after.length > maxKeyLength) throw badRequest('after is a key')
  const next = `${after}\0`
  return next > key ? next : key
}

/**
 * A range that holds keys of the system beside others is told without them, so that everybody
 * may list everything that is theirs. Rejects as `StoreAccess.range`.
 */
async function rangeForUsers(
  { store }: ApiContext,
  request: RangeRequest,
  consistency: Consistency,
): Promise<RangeResult> {
  const { key, rangeEnd, limit = pageKeys } = request
  if (rangeEnd === undefined || isSystems(request)) return store.range(request, consistency)
  const [first, second] = withoutSystem({ key, rangeEnd })
  if (first === undefined) return store.range({ ...request, rangeEnd: key }, consistency)
  const before = await store.range({ ...request, ...first }, consistency)
  if (second === undefined || before.more) return before
  const left = limit - before.items.length
  const at = request.revision ?? before.revision
  const rest = { ...request, ...second, limit: Math.max(1, left), revision: at }
  const after = await store.range(rest, 'local')
  if (left === 0) return { ...before, more: after.items.length > 0 }
  return { ...before, items: [...before.items, ...after.items], more: after.more }
}

async function put(context: ApiContext, request: RoutedRequest): Promise<KvPutAnswer> {
  const selection = selectionFrom(request)
  if (selection.rangeEnd !== undefined) throw badRequest('a value is put at one key: ?key=KEY')
  const { value, lease } = await valueFrom(request)
  const operation = { kind: 'put', key: selection.key, value } as const
  const then = [lease === undefined ? operation : { ...operation, lease }]
  return { revision: (await commit(context, { compare: [], then, otherwise: [] })).revision }
}

/** JSON, or any other body as the value itself. */
async function valueFrom(
  request: RoutedRequest,
): Promise<{ readonly value: Uint8Array; readonly lease: string | undefined }> {
  if (request.upload !== undefined) {
    return { value: await readAll(request.upload), lease: request.query.get('lease') }
  }
  const { value, encoding, lease } = readPut(request)
  return { value: valueOf(value, encoding), lease: lease ?? request.query.get('lease') }
}

async function readAll(upload: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of upload) {
    bytes += part.length
    if (bytes > maxValueBytes) throw valueTooLarge()
    parts.push(part)
  }
  return concat(parts)
}

async function remove(context: ApiContext, request: RoutedRequest): Promise<KvDeleteAnswer> {
  const operation = { kind: 'delete', ...selectionFrom(request) } as const
  const result = await commit(context, { compare: [], then: [operation], otherwise: [] })
  const [done] = result.results
  return { revision: result.revision, deleted: done?.kind === 'delete' ? done.deleted : 0 }
}

async function compareAndSwap(context: ApiContext, request: RoutedRequest): Promise<KvCasAnswer> {
  const { key, value, encoding, lease, ...condition } = readCas(request)
  const swap =
    value === null
      ? ({ kind: 'delete', key } as const)
      : ({ kind: 'put', key, value: valueOf(value, encoding) } as const)
  const result = await commit(context, {
    compare: [conditionOf(key, condition)],
    then: [swap.kind === 'delete' || lease === undefined ? swap : { ...swap, lease }],
    otherwise: [{ kind: 'range', range: { key } }],
  })
  const [seen] = result.results
  const item = seen?.kind === 'range' ? seen.result.items[0] : undefined
  const { succeeded } = result
  return {
    succeeded,
    revision: result.revision,
    item: succeeded || item === undefined ? null : itemOf(item, encodingFrom(request)),
  }
}

function conditionOf(
  key: string,
  condition: {
    readonly expected?: string | null
    readonly expectedEncoding?: KvEncoding
    readonly modRevision?: number
  },
): Compare {
  const { expected, expectedEncoding, modRevision } = condition
  if ((expected === undefined) === (modRevision === undefined)) {
    throw badRequest('say what is expected', 'either expected (null: no such key), or modRevision')
  }
  if (modRevision !== undefined) return { target: 'modRevision', key, is: '=', to: modRevision }
  if (expected === null || expected === undefined) {
    return { target: 'version', key, is: '=', to: 0 }
  }
  return { target: 'value', key, is: '=', to: valueOf(expected, expectedEncoding) }
}

async function compact(context: ApiContext, request: RoutedRequest): Promise<KvCompactAnswer> {
  const { revision: below } = readCompact(request)
  await context.store.compact(revision(below))
  return { revision: below }
}

/** What is wrong is told before anything is proposed. Rejects as `StoreAccess.transact`. */
export function commit(context: ApiContext, transaction: Transaction): Promise<TransactionResult> {
  for (const operation of [...transaction.then, ...transaction.otherwise]) {
    if (operation.kind !== 'range') refuseSystem(operation)
  }
  const fault = faultOfTransaction(transaction)
  if (fault !== undefined) throw badRequest(fault)
  return context.store.transact(transaction)
}
