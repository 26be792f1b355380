/** Tokens: made, listed without their secrets, taken back. */
import * as Type from 'typebox'
import type { TokenRecord } from '../../core/records/schemas.ts'
import { createToken, deleteToken, listTokens } from '../enrol/tokens.ts'
import type { TokenCreated, TokenRow } from './answers.ts'
import { badRequest, bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'

const tokenLifetimeMs = 24 * 3_600_000

const readToken = bodyReader(
  Type.Object({
    role: Type.Union([
      Type.Literal('machine'),
      Type.Literal('read'),
      Type.Literal('deploy'),
      Type.Literal('admin'),
    ]),
    roleCeiling: Type.Optional(Type.Union([Type.Literal('client'), Type.Literal('voter')])),
    uses: Type.Optional(Type.Integer({ minimum: 1 })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
)

export function tokenRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/tokens',
      access: 'admin',
      handle: async (request) => {
        const { role, roleCeiling = 'client', uses = 1, ttlMs } = readToken(request)
        const { text, record } = await createToken(context, context.authorityPem, {
          scope: role,
          roleCeiling,
          uses,
          lifetimeMs: ttlMs ?? tokenLifetimeMs,
        })
        const { id, expiresMs } = record
        return json({ token: text, id, expiresMs } satisfies TokenCreated, 201)
      },
    },
    {
      method: 'GET',
      path: '/v1/tokens',
      access: 'admin',
      handle: async () => json({ tokens: (await listTokens(context.store)).map(tokenRow) }),
    },
    {
      method: 'DELETE',
      path: '/v1/tokens/:id',
      access: 'admin',
      handle: async ({ parameters: { id = '' } }) => {
        if (!/^[0-9a-f]{16}$/.test(id)) {
          throw badRequest('a token id is 16 hex digits', 'jangada token ls')
        }
        await deleteToken(context, id)
        return json({ id })
      },
    },
  ]
}

const tokenRow = (record: TokenRecord): TokenRow => {
  const { id, scope, roleCeiling, usesLeft, expiresMs, createdMs } = record
  return { id, scope, roleCeiling, usesLeft, expiresMs, createdMs }
}
