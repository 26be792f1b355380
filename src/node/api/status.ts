/**
 * The cluster as one answer. Kept for the revision it was made at, so that a page that asks every
 * second costs nothing while nothing changes; and shown, as old as it is, when nobody answers.
 */
import { isJangadaError } from '../../base/errors.ts'
import type { MemberView } from '../member/store-access.ts'
import type { PublicEvent, StatusCounts, StatusHead, StatusReport, StoreStatus } from './answers.ts'
import type { ApiContext } from './context.ts'
import { type ClusterRecords, cutOff, readEvents } from './records.ts'
import { bootRow, eventRow, machineRows, memberRows, stalenessOf, unitRows } from './rows.ts'
import { readWithFacts } from './unit-facts.ts'

/** The latest, in `/status`; `/v1/events` gives more. */
const eventsInStatus = 50

interface Known {
  readonly records: ClusterRecords
  readonly events: readonly PublicEvent[]
  readonly view: MemberView
  /** When this was so, on the monotonic clock. */
  readonly atMs: number
}

export interface Seen extends Omit<Known, 'atMs'> {
  readonly setting: 'full' | 'counts' | 'off'
}

export class StatusSource {
  readonly #context: ApiContext
  #known: Known | undefined
  /** Those who ask while the records are read share the reading. */
  #reading: Promise<Known> | undefined

  constructor(context: ApiContext) {
    this.#context = context
  }

  /** Rejects with JGD_UNREACHABLE only on a node that has never been in touch. */
  async see(): Promise<Seen> {
    const { store, clock } = this.#context
    const atMs = clock.monotonicMs()
    try {
      const view = await store.view()
      const fresh = this.#known?.records.revision === view.revision
      if (this.#known === undefined || !fresh) {
        this.#reading ??= this.#read(view, atMs).finally(() => {
          this.#reading = undefined
        })
        this.#known = await this.#reading
      } else this.#known = { ...this.#known, view, atMs }
    } catch (error) {
      if (this.#known === undefined || !isOutOfTouch(error)) throw error
      const { view } = this.#known
      const staleForMs = view.staleForMs + (atMs - this.#known.atMs)
      return this.#seen({ ...this.#known, view: { ...view, hasQuorum: false, staleForMs } })
    }
    return this.#seen(this.#known)
  }

  async #read(view: MemberView, atMs: number): Promise<Known> {
    const records = await readWithFacts(this.#context)
    const { events } = await readEvents(this.#context.store, eventsInStatus, records.revision)
    return { records, events: events.map(eventRow), view, atMs }
  }

  #seen({ records, events, view }: Omit<Known, 'atMs'>): Seen {
    return { records, events, view, setting: records.settings?.status ?? 'full' }
  }
}

const isOutOfTouch = (error: unknown): boolean =>
  isJangadaError(error, 'JGD_UNREACHABLE') || isJangadaError(error, 'JGD_NO_QUORUM')

/** As `StoreAccess.view`, for those who must have an answer. */
export async function viewOrCutOff(context: ApiContext): Promise<MemberView> {
  try {
    return await context.store.view()
  } catch (error) {
    if (isOutOfTouch(error)) return cutOff
    throw error
  }
}

function head(context: ApiContext, { records, view }: Seen): StatusHead {
  const { clusterId, machineId, name, version } = context
  const leader = records.members.find(({ memberId }) => memberId === view.leader)
  const machine = leader?.machineId ?? view.leaderMachine
  return {
    cluster: clusterId,
    node: { machineId, name, role: view.role, version },
    leader:
      view.leader === undefined
        ? null
        : {
            memberId: view.leader,
            machineId: machine ?? null,
            name: (machine === undefined ? undefined : records.machines.get(machine)?.name) ?? null,
          },
    term: view.term,
    revision: records.revision,
    stale: stalenessOf(view),
  }
}

export function statusReport(context: ApiContext, seen: Seen): StatusReport {
  const { records, view, events } = seen
  return {
    ...head(context, seen),
    store: storeStatus(seen),
    members: memberRows(records, view),
    machines: machineRows(records),
    units: unitRows(records),
    events,
    boots: context.bootTimeline().map(bootRow),
  }
}

const storeStatus = ({ records, view: { room } }: Seen): StoreStatus => ({
  usedBytes: room?.usedBytes ?? null,
  usersBytes: room === undefined ? null : room.quotaBytes - room.reserveBytes,
  fullSinceMs: records.storeFull?.sinceMs ?? null,
})

export function statusCounts(context: ApiContext, seen: Seen): StatusCounts {
  const { records } = seen
  const machines = { ready: 0, lost: 0, left: 0 }
  for (const { status } of records.machines.values()) machines[status] += 1
  const units: Partial<Record<string, number>> = {}
  for (const { active } of unitRows(records)) units[active] = (units[active] ?? 0) + 1
  return { ...head(context, seen), counts: { members: records.members.length, machines, units } }
}
