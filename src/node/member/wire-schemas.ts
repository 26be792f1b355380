/** The shapes of what store calls carry between machines, checked on arrival. */
import * as Type from 'typebox'
import { Compile } from 'typebox/compile'
import { JangadaError } from '../../base/errors.ts'
import { revision } from '../../base/ids.ts'
import { maxKeyLength, maxLeaseIdLength } from '../../core/store/types.ts'
import { decodeCommand } from '../../core/store/command-codec.ts'
import type { Command, RangeRequest } from '../../core/store/types.ts'
import { unfit } from './errors.ts'
import type { Consistency, WatchRequest } from './store-access.ts'

/** Whatever a msgpack bin becomes. The store's own check holds it to its size. */
const binary = Type.Unsafe<Uint8Array>(Type.Object({}))
/** A range may begin just behind the longest key, and end just behind all of them. */
const bound = Type.String({ maxLength: maxKeyLength + 1 })
const natural = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const rangeSchema = Type.Object({
  key: bound,
  rangeEnd: Type.Optional(bound),
  limit: Type.Optional(natural),
  revision: Type.Optional(natural),
  keysOnly: Type.Optional(Type.Boolean()),
})

/** `command` is the log's own bytes (`core/store/command-codec`), which check themselves. */
const proposeSchema = Type.Object({ command: binary })

const rangeCallSchema = Type.Object({
  request: rangeSchema,
  consistency: Type.Union([Type.Literal('linearizable'), Type.Literal('local')]),
  /** The highest revision that the asker has seen: a member behind it waits or declines. */
  atLeast: natural,
})

const watchSchema = Type.Object({
  key: bound,
  rangeEnd: Type.Optional(bound),
  fromRevision: natural,
})

const leaseSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: maxLeaseIdLength }),
})

const leaseListSchema = Type.Object({ after: Type.String({ maxLength: maxLeaseIdLength }) })

/** A checker that throws JGD_BAD_REQUEST; compiled when it is first used. */
export function checker<S extends Type.TSchema>(schema: S): (body: unknown) => Type.Static<S> {
  let compiled: { Check(value: unknown): boolean } | undefined
  return (body) => {
    compiled ??= Compile(schema)
    if (!compiled.Check(body)) {
      throw new JangadaError('JGD_BAD_REQUEST', 'the call has not the shape of its method')
    }
    return body as Type.Static<S>
  }
}

const proposeChecker = checker(proposeSchema)
const rangeChecker = checker(rangeCallSchema)
const watchChecker = checker(watchSchema)

/** Term-guarded commands are refused: who decides under a term proposes on that leader itself. */
export function checkPropose(body: unknown): Command {
  const { command: bytes } = proposeChecker(body)
  const decoded = bytes instanceof Uint8Array ? decodeCommand(bytes) : undefined
  if (decoded?.kind !== 'command') {
    throw new JangadaError('JGD_BAD_REQUEST', 'the proposal is not a command of the store')
  }
  const { command } = decoded
  const refusal = unfit(command)
  if (refusal !== undefined) throw refusal
  const guard = command.kind === 'transaction' ? command.transaction.term : undefined
  if (guard !== undefined || (command.kind === 'leaseRevoke' && command.term !== undefined)) {
    throw new JangadaError('JGD_BAD_REQUEST', 'a command with a term guard is never forwarded')
  }
  return command
}

export interface RangeCall {
  readonly request: RangeRequest
  readonly consistency: Consistency
  readonly atLeast: number
}

export const checkRangeCall = (body: unknown): RangeCall => {
  const call = rangeChecker(body)
  return { ...call, request: call.request as RangeRequest }
}

export const checkWatch = (body: unknown): WatchRequest => {
  const { fromRevision, ...range } = watchChecker(body)
  return { ...(range as { key: string }), fromRevision: revision(fromRevision) }
}

export const checkLease = checker(leaseSchema)
export const checkLeaseList = checker(leaseListSchema)
