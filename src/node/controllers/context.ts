/** What every controller works with while this member leads. */
import { toHex } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import type { Term } from '../../base/ids.ts'
import { eventKey, events } from '../../core/records/keyspace.ts'
import type { RecordKind } from '../../core/records/record.ts'
import type { EventRecord } from '../../core/records/schemas.ts'
import type { Operation } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import { follow, type Follower, type FollowOptions, RecordView } from '../member/follow.ts'
import type { MemberStore } from '../member/member-store.ts'

export interface ControllerContext {
  readonly store: MemberStore
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** Each plan is compared with one that is made from nothing: for simulations. */
  readonly comparesPlans?: boolean
}

/** One term of office. `signal` aborts when it ends. */
export interface Office {
  readonly term: Term
  /** On the leader's monotonic clock. */
  readonly tookOfficeMs: number
  readonly signal: AbortSignal
}

/**
 * To be asked after every wait for a quorum: a leader that was deposed meanwhile gets its answer
 * from the new one, and would vouch for a term that is over. Throws JGD_NOT_LEADER.
 */
export function assertInOffice({ signal, term }: Office): void {
  if (signal.aborted) throw new JangadaError('JGD_NOT_LEADER', `term ${term} is over`)
}

/** A view of `kind` that follows the store until the office ends. */
export function viewOf<T, Parts extends readonly string[]>(
  context: ControllerContext,
  kind: RecordKind<T, Parts>,
  office: Office,
  onChange: () => void,
): RecordView<T, Parts> {
  return followView(context, new RecordView(kind, onChange), office)
}

export function followView<
  V extends Follower & { readonly kind: { readonly range: FollowOptions['range'] } },
>({ store, clock, log }: ControllerContext, view: V, { signal }: Office): V {
  void follow({ store, clock, log, range: view.kind.range, follower: view, signal })
  return view
}

export function putEvent(
  context: Pick<ControllerContext, 'clock' | 'entropy'>,
  event: Pick<EventRecord, 'kind' | 'severity' | 'message'> & Partial<EventRecord>,
): Operation {
  const atMs = context.clock.wallMs()
  const record: EventRecord = { v: 1, code: '', machine: '', unit: '', atMs, ...event }
  return events.put(record, eventKey(atMs, toHex(context.entropy.bytes(6))))
}
