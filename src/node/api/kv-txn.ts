/** `POST /v1/kv/txn`: compares, and what follows if all of them hold, or else. */
import * as Type from 'typebox'
import { revision } from '../../base/ids.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import { authorize } from './auth.ts'
import { badRequest, bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { commit, encodingFrom, encodingSchema, pageKeys, revisionSchema } from './kv.ts'
import type { KvTxnAnswer } from './kv-answers.ts'
import { isSystems, refuseSystem, resultOf, selectionOf, valueOf } from './kv-shapes.ts'
import { json } from './messages.ts'
import type { Route, RoutedRequest } from './router.ts'

const closed = { additionalProperties: false }
const compareSchema = Type.Object(
  {
    key: Type.String(),
    target: Type.Union([
      Type.Literal('value'),
      Type.Literal('version'),
      Type.Literal('createRevision'),
      Type.Literal('modRevision'),
    ]),
    is: Type.Optional(
      Type.Union([Type.Literal('='), Type.Literal('!='), Type.Literal('<'), Type.Literal('>')]),
    ),
    /** A number; for `value` a text, or null for "there is no such key". */
    to: Type.Union([Type.String(), Type.Integer({ minimum: 0 }), Type.Null()]),
    encoding: Type.Optional(encodingSchema),
  },
  closed,
)

const operationSchema = Type.Object(
  {
    op: Type.Union([Type.Literal('put'), Type.Literal('delete'), Type.Literal('get')]),
    key: Type.Optional(Type.String()),
    prefix: Type.Optional(Type.String()),
    from: Type.Optional(Type.String()),
    end: Type.Optional(Type.String()),
    value: Type.Optional(Type.String()),
    encoding: Type.Optional(encodingSchema),
    lease: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageKeys })),
    revision: Type.Optional(revisionSchema),
    keysOnly: Type.Optional(Type.Boolean()),
  },
  closed,
)
type OperationText = Type.Static<typeof operationSchema>

const readTxn = bodyReader(
  Type.Object(
    {
      compare: Type.Optional(Type.Array(compareSchema)),
      then: Type.Optional(Type.Array(operationSchema)),
      else: Type.Optional(Type.Array(operationSchema)),
    },
    closed,
  ),
)

export function kvTxnRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/kv/txn',
      access: 'deploy',
      handle: async (request) => json(await transact(context, request)),
    },
  ]
}

async function transact(context: ApiContext, request: RoutedRequest): Promise<KvTxnAnswer> {
  const body = readTxn(request)
  const encoding = encodingFrom(request)
  const compare = (body.compare ?? []).map(compareOf)
  const then = (body.then ?? []).map(operationOf)
  const otherwise = (body.else ?? []).map(operationOf)
  if (then.length + otherwise.length === 0) throw badRequest('the transaction does nothing')
  const looksAtSystem = [
    ...compare,
    ...[...then, ...otherwise].flatMap((one) => (one.kind === 'range' ? one.range : [])),
  ].some(({ key }) => isSystems({ key }))
  if (looksAtSystem) await authorize(context, request, 'admin')
  const { succeeded, revision: at, results } = await commit(context, { compare, then, otherwise })
  const branch = (succeeded ? body.then : body.else) ?? []
  return {
    succeeded,
    revision: at,
    results: results.map((one, i) => resultOf(one, encoding, branch[i]?.keysOnly === true)),
  }
}

function compareOf(text: Type.Static<typeof compareSchema>): Compare {
  const { key, target, is = '=', to, encoding } = text
  if (target !== 'value') {
    if (typeof to === 'number') return { target, key, is, to }
    throw badRequest(`${target} of ${key} is compared with a number`)
  }
  if (is !== '=' && is !== '!=') throw badRequest('values are equal or not: is "=" or "!="')
  if (to === null) return { target: 'version', key, is, to: 0 }
  if (typeof to === 'string') return { target, key, is, to: valueOf(to, encoding) }
  throw badRequest(`the value of ${key} is compared with a text, or with null`)
}

/** What each kind of operation may say beside where. */
const words: Readonly<Record<OperationText['op'], readonly string[]>> = {
  put: ['key', 'value', 'encoding', 'lease'],
  delete: ['key', 'prefix', 'from', 'end'],
  get: ['key', 'prefix', 'from', 'end', 'limit', 'revision', 'keysOnly'],
}

/** Throws JGD_BAD_REQUEST, JGD_TOO_LARGE or JGD_KEY_RESERVED. */
function operationOf(text: OperationText): Operation {
  const { op } = text
  const strange = Object.keys(text).find((word) => word !== 'op' && !words[op].includes(word))
  if (strange !== undefined) throw badRequest(`a ${op} has no ${strange}`)
  const selection = selectionOf(text)
  switch (op) {
    case 'put': {
      const { value, encoding, lease } = text
      if (value === undefined) throw badRequest('a put has a value')
      const put = { kind: 'put', key: selection.key, value: valueOf(value, encoding) } as const
      return lease === undefined ? put : { ...put, lease }
    }
    case 'delete':
      return { kind: 'delete', ...selection }
    default: {
      const { limit = pageKeys, revision: at, keysOnly } = text
      // One answer at one revision: the system's part cannot be left out of it.
      if (!isSystems(selection)) refuseSystem(selection)
      return {
        kind: 'range',
        range: {
          ...selection,
          // A leader of an earlier version reads all that there is unless it is told otherwise.
          ...(selection.rangeEnd === undefined ? {} : { limit }),
          ...(at === undefined ? {} : { revision: revision(at) }),
          ...(keysOnly === undefined ? {} : { keysOnly }),
        },
      }
    }
  }
}
