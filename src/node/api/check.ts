/** Reading what a request carries: wrong values are the caller's mistake, told by name. */
import { type TSchema, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { JangadaError } from '../../base/errors.ts'
import type { ApiRequest } from './messages.ts'
import type { RoutedRequest } from './router.ts'

interface Checker {
  Check(value: unknown): boolean
  Errors(value: unknown): Iterable<{ readonly instancePath: string; readonly message: string }>
}

/** A reader of bodies of `schema`, compiled at its first use. Throws JGD_BAD_REQUEST. */
export function bodyReader<S extends TSchema>(
  schema: S,
): (request: Pick<RoutedRequest, 'body'>) => Static<S> {
  let checker: Checker | undefined
  return ({ body }) => {
    checker ??= Compile(schema)
    if (checker.Check(body)) return body as Static<S>
    const [first] = checker.Errors(body)
    const where = first === undefined || first.instancePath === '' ? 'it' : first.instancePath
    throw badRequest(`the body is not as expected: ${where} ${first?.message ?? 'is of no shape'}`)
  }
}

export const badRequest = (message: string, hint?: string): JangadaError =>
  new JangadaError('JGD_BAD_REQUEST', message, hint === undefined ? {} : { hint })

/** A whole number of the query, within bounds. */
export function numberOf(
  { query }: ApiRequest,
  name: string,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = query.get(name)
  if (text === undefined) return fallback
  const value = Number(text)
  if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value
  throw badRequest(`${name} is a whole number from ${min} to ${max}`)
}

/** `?follow`, `?follow=1` and `?follow=true` mean yes. */
export const flagOf = ({ query }: ApiRequest, name: string): boolean =>
  ['', '1', 'true'].includes(query.get(name) ?? 'no')
