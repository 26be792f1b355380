/** The operator's side: who waits, and yes or no. */
import { JangadaError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { admissions, clusterSettings } from '../../core/records/keyspace.ts'
import type { AdmissionRecord } from '../../core/records/schemas.ts'
import { approve, isWaiting, type RoleCeiling } from '../../core/trust/admission.ts'
import { listAll } from '../member/follow.ts'
import {
  decideAndCommit,
  putEvent,
  readRecord,
  unchanged,
  type EnrolContext,
  type EnrolStore,
} from './context.ts'

type Operator = Pick<EnrolContext, 'store' | 'clock' | 'entropy'>

/** Machines that wait for `admit`, longest first. */
export async function pendingMachines(store: EnrolStore): Promise<AdmissionRecord[]> {
  const { items } = await listAll(store, admissions.range, 'linearizable')
  return items
    .flatMap((item) => admissions.read(item)?.value ?? [])
    .filter(isWaiting)
    .toSorted((a, b) => askedMs(a) - askedMs(b))
}

const askedMs = (admission: AdmissionRecord): number =>
  admission.asking?.askedMs ?? admission.askedMs

export interface AdmitOptions {
  /** Only if this is the key that asks: what the operator has compared with the console. */
  readonly keyHash?: string
  readonly roleCeiling?: RoleCeiling
}

/**
 * Approves whoever asks to be `machineId`. Idempotent. Rejects with JGD_NOT_FOUND when nobody
 * does, and with JGD_CONFLICT when another key than `options.keyHash` does.
 */
export function admit(
  context: Operator,
  machineId: MachineId,
  options: AdmitOptions = {},
): Promise<AdmissionRecord> {
  const { store } = context
  return decideAndCommit(store, async () => {
    const found = await requireAdmission(store, machineId)
    const settings = await readRecord(store, clusterSettings, 'cluster')
    const asking = found.value.asking?.keyHash ?? found.value.keyHash
    if (options.keyHash !== undefined && options.keyHash !== asking) {
      throw new JangadaError('JGD_CONFLICT', `another key asks to be machine ${machineId}`, {
        hint: 'look again: jangada machines --pending',
      })
    }
    const ceiling = options.roleCeiling ?? found.value.roleCeiling
    const policy = settings?.value.admission ?? 'sticky'
    const value = approve(found.value, policy, ceiling, context.clock.wallMs())
    return decision(context, found, value, {
      kind: 'machine.approved',
      message: `${value.name} was approved`,
    })
  })
}

/** A no, until someone says yes. Of a member only the other key that asks is turned away. */
export function refuseMachine(context: Operator, machineId: MachineId): Promise<AdmissionRecord> {
  const { store } = context
  return decideAndCommit(store, async () => {
    const found = await requireAdmission(store, machineId)
    const { asking, ...rest } = found.value
    const decidedMs = context.clock.wallMs()
    const value: AdmissionRecord =
      asking === undefined ? { ...rest, state: 'refused', decidedMs } : rest
    return decision(context, found, value, {
      kind: 'machine.refused',
      message: `${found.value.name} was refused`,
    })
  })
}

/**
 * Forgets a machine: its key opens nothing from then on. Its placements and its machine record
 * are the business of others, who see this key go. Idempotent.
 */
export async function revoke(context: Operator, machineId: MachineId): Promise<void> {
  const then = [
    { kind: 'delete', key: admissions.key(machineId) } as const,
    putEvent(context, {
      kind: 'machine.revoked',
      severity: 'warning',
      message: `the key of machine ${machineId} is no longer listed`,
      machine: machineId,
    }),
  ]
  await context.store.transact({ compare: [], then, otherwise: [] })
}

type FoundAdmission = Awaited<ReturnType<typeof requireAdmission>>

async function requireAdmission(store: EnrolStore, machineId: MachineId) {
  const found = await readRecord(store, admissions, machineId)
  if (found !== undefined) return found
  throw new JangadaError('JGD_NOT_FOUND', `machine ${machineId} has not asked to be admitted`, {
    hint: 'see who waits: jangada machines --pending',
  })
}

function decision(
  context: Operator,
  found: FoundAdmission,
  value: AdmissionRecord,
  event: { readonly kind: string; readonly message: string },
) {
  const { machineId } = found.value
  return {
    value,
    compare: [unchanged(found.key, found)],
    then: [
      admissions.put(value, machineId),
      putEvent(context, { ...event, severity: 'info', machine: machineId }),
    ],
  }
}
