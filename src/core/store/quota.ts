/**
 * How much the live keys may take, and which writes are let in as that comes near.
 *
 * The quota is not part of applying a command: whoever leads asks here before it proposes, so
 * members of different versions or settings still come to the same state. What is on its way when
 * the quota is reached may go beyond it by as much as may be on its way. History comes on top; it
 * has bounds of its own (`HistoryLimits`).
 */
import type { Store } from './store.ts'
import type { Command, Operation } from './types.ts'

/** With 256-byte values, about two million keys. */
export const defaultQuotaBytes = 1_073_741_824
/** A smaller one would leave no room for the system's own records. */
export const quotaBytesMin = 1_048_576
/** What a key costs beside its own characters and its value, roughly. */
export const keyOverheadBytes = 256
export const leaseOverheadBytes = 512
/** A new leader takes all of them over before it ends the first. */
export const maxLeases = 100_000
const reserveBytesMax = 64 * 1_048_576
/** Of the system's writes: an event, a state. They go on when there is no room at all. */
const smallGrowthBytes = 8192

/** Kept free for the system's own keys when users' writes are already refused. */
export const reserveOf = (quotaBytes: number): number =>
  Math.min(reserveBytesMax, Math.floor(quotaBytes / 8))

/** The same on every member at one revision. */
export function usedBytes(store: Store): number {
  const { liveBytes, liveKeys, leases } = store.size
  return liveBytes + liveKeys * keyOverheadBytes + leases * leaseOverheadBytes
}

export interface QuotaQuestion {
  readonly store: Store
  readonly command: Command
  readonly quotaBytes: number
  /** Keys that begin like this are the system's. */
  readonly systemPrefix: string
}

/**
 * Whether a command may be proposed. Whatever frees room, or needs no more of it, always may; so
 * may the leader's own decisions, which carry its term.
 */
export function isAdmitted({ store, command, quotaBytes, systemPrefix }: QuotaQuestion): boolean {
  const used = usedBytes(store)
  const usersBytes = quotaBytes - reserveOf(quotaBytes)
  if (command.kind === 'leaseGrant') return used + leaseOverheadBytes <= usersBytes
  if (command.kind !== 'transaction' || command.transaction.term !== undefined) return true
  const branches = [command.transaction.then, command.transaction.otherwise]
  const isUsers = branches.some((branch) =>
    branch.some((one) => one.kind === 'put' && !one.key.startsWith(systemPrefix)),
  )
  const limit = isUsers ? usersBytes : quotaBytes
  // Most writes are far from the quota, and are not worth a look at what they replace.
  if (used + Math.max(...branches.map(bytesPut)) <= limit) return true
  const growth = Math.max(...branches.map((branch) => growthOf(store, branch)))
  if (growth <= (isUsers ? 0 : smallGrowthBytes)) return true
  return used + growth <= limit
}

const bytesPut = (operations: readonly Operation[]): number =>
  operations.reduce((sum, one) => sum + (one.kind === 'put' ? sizeOf(one) : 0), 0)

const sizeOf = ({ key, value }: { readonly key: string; readonly value: Uint8Array }): number =>
  key.length + value.length + keyOverheadBytes

/** What a deleted range frees is not counted beforehand. */
function growthOf(store: Store, operations: readonly Operation[]): number {
  let growth = 0
  const freed = new Set<string>()
  for (const one of operations) {
    if (one.kind === 'range' || (one.kind === 'delete' && one.rangeEnd !== undefined)) continue
    if (one.kind === 'put') growth += sizeOf(one)
    // A key may be deleted many times in one transaction, and takes up its room once.
    if (freed.has(one.key)) continue
    freed.add(one.key)
    const before = store.get(one.key)
    if (before !== undefined) growth -= sizeOf(before)
  }
  return growth
}
