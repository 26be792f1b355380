/** The output of a unit's container on this machine, for other machines and the API. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { readLabels } from '../../core/reconcile/labels.ts'
import type { ContainerFacts, Containers } from '../../ports/containers.ts'
import { checker } from '../member/wire-schemas.ts'
import type { CallMethods } from '../wire/calls.ts'

/** UTF-16 units in one item of the feed; with its window, what waits for a slow reader. */
const chunkLengthMax = 16_384
const tailMax = 10_000

const checkRequest = checker(
  Type.Object({
    unit: Type.String({ maxLength: 256 }),
    tail: Type.Integer({ minimum: 0, maximum: tailMax }),
    follow: Type.Boolean(),
  }),
)

export interface LogsRequest {
  readonly unit: string
  /** Lines from the end. */
  readonly tail: number
  readonly follow: boolean
}

export interface LogsContext {
  readonly clusterId: string
  readonly containers: Containers
  /** Undefined while the engine does not answer. */
  readonly observed: () => readonly ContainerFacts[] | undefined
}

/** `agent.logs`: `{unit, tail, follow}` → text, in chunks that never split a character. */
export function logMethods(context: LogsContext): CallMethods {
  return {
    calls: new Map(),
    feeds: new Map([
      ['agent.logs', (body, _context, signal) => readText(context, checkRequest(body), signal)],
    ]),
  }
}

/** Rejects with JGD_ENGINE_DOWN, or JGD_NOT_FOUND when the unit has no container here. */
export async function* readLogs(
  { containers, observed, clusterId }: LogsContext,
  { unit, tail, follow }: LogsRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const seen = observed()
  if (seen === undefined) {
    throw engineDown()
  }
  const container = newestOf(seen, clusterId, unit)
  if (container === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', `${unit} has no container on this machine`, {
      hint: `see "jangada units": it may not have started yet`,
    })
  }
  yield* containers.logs(container.id, { tail, follow }, signal)
}

export const engineDown = (): JangadaError =>
  new JangadaError('JGD_ENGINE_DOWN', 'the container engine of this machine is down')

async function* readText(
  context: LogsContext,
  request: LogsRequest,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const bytes of readLogs(context, request, signal)) {
    yield* pieces(decoder.decode(bytes, { stream: true }))
  }
  yield* pieces(decoder.decode())
}

function* pieces(text: string): Generator<string> {
  let at = 0
  while (at < text.length) {
    let end = Math.min(text.length, at + chunkLengthMax)
    // Between the halves of a surrogate pair there is no place to cut.
    const last = text.charCodeAt(end - 1)
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1
    yield text.slice(at, end)
    at = end
  }
}

/** The one that runs, else the one that started last. */
function newestOf(
  seen: readonly ContainerFacts[],
  clusterId: string,
  unit: string,
): ContainerFacts | undefined {
  const running = (each: ContainerFacts): number => (each.state === 'running' ? 1 : 0)
  return seen
    .filter(({ labels }) => {
      const owner = readLabels(labels)
      return owner?.clusterId === clusterId && owner.unit === unit
    })
    .toSorted((a, b) => running(b) - running(a) || (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0))[0]
}
