/**
 * A process that is one member, alone in its cluster, on a real disk; clients in it write without
 * pause. It tells its story on standard output, one JSON object a line, and ends on "stop".
 *
 *     node test/support/one-member.ts OPTIONS      (JSON: OneMemberOptions)
 */
import { createInterface } from 'node:readline'
import { JangadaError } from '../../src/base/errors.ts'
import { clusterId } from '../../src/base/ids.ts'
import { utf8, fromUtf8 } from '../../src/base/bytes.ts'
import { createFirstMember, type MemberSizes, Seat } from '../../src/node/member/seat.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { directoryDisk } from '../../src/platform/disk.ts'
import { kernelEntropy } from '../../src/platform/entropy.ts'
import { openLog } from '../../src/platform/log.ts'
import { sleep } from '../../src/ports/clock.ts'
import type { StoreAccess } from '../../src/node/member/store-access.ts'
import { lone } from './lone-seat.ts'

export interface OneMemberOptions {
  readonly directory: string
  /** Makes the log first. */
  readonly create: boolean
  readonly clients: number
  readonly valueBytes: number
  readonly sizes: MemberSizes
}

export type Told =
  /** The log here belongs to a member, which leads itself; what each client's key holds. */
  | { readonly kind: 'member'; readonly id: number; readonly values: Record<string, Held> }
  | { readonly kind: 'without member' }
  | { readonly kind: 'acknowledged'; readonly writes: readonly (readonly [string, number])[] }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'fatal'; readonly reason: string }
  | {
      readonly kind: 'log'
      readonly level: string
      readonly message: string
      readonly code?: string
      readonly next?: string
      readonly repair?: string
    }

export interface Held {
  /** Each client writes 1, 2, 3, … into its own key. */
  readonly value: number
  /** How often the key was written. */
  readonly version: number
}

export const oneCluster = clusterId('d'.repeat(32))
export const oneIncarnation = '2'.repeat(32)
const prefix = 'clients/'

async function main(options: OneMemberOptions): Promise<void> {
  const clock = systemClock()
  const disk = directoryDisk(options.directory)
  const { log } = await openLog({
    level: 'warn',
    write: (line) =>
      tell({ kind: 'log', ...(JSON.parse(line) as { level: string; message: string }) }),
  })
  if (options.create) await createFirstMember(disk, oneCluster, oneIncarnation, [], options.sizes)
  const seat = new Seat({
    clusterId: oneCluster,
    disk,
    clock,
    entropy: kernelEntropy(),
    log,
    sizes: options.sizes,
    ...lone,
    onFatal: (reason) => {
      tell({ kind: 'fatal', reason })
      process.exit(1)
    },
    onStopped: () => tell({ kind: 'without member' }),
  })
  const control = createInterface({ input: process.stdin })
  control.on('line', () => void seat.close().then(() => process.exit(0)))
  control.on('close', () => process.exit(0))
  await seat.open()
  if (seat.store === undefined) tell({ kind: 'without member' })
  while (seat.store?.member.leadership.role !== 'leader') await sleep(clock, 20)
  const { store } = seat
  const values = await read(store)
  tell({ kind: 'member', id: seat.memberId, values })
  for (let client = 1; client <= options.clients; client += 1) {
    const name = String(client)
    void write(store, name, (values[name]?.value ?? 0) + 1, options.valueBytes)
  }
}

async function read(store: StoreAccess): Promise<Record<string, Held>> {
  const range = { key: prefix, rangeEnd: `${prefix}~` }
  const { items } = await store.range(range, 'linearizable')
  const held = items.map(({ key, value, version }) => [
    key.slice(prefix.length),
    { value: Number(fromUtf8(value)), version },
  ])
  return Object.fromEntries(held) as Record<string, Held>
}

async function write(store: StoreAccess, name: string, from: number, bytes: number): Promise<void> {
  for (let n = from; ; n += 1) {
    const value = utf8(String(n).padStart(bytes))
    try {
      await store.transact({
        compare: [],
        then: [{ kind: 'put', key: prefix + name, value }],
        otherwise: [],
      })
    } catch (error) {
      tell({ kind: 'refused', code: error instanceof JangadaError ? error.code : String(error) })
      return
    }
    acknowledge(name, n)
  }
}

let gathered: (readonly [string, number])[] = []

function acknowledge(name: string, n: number): void {
  gathered.push([name, n])
  if (gathered.length > 1) return
  setImmediate(() => {
    tell({ kind: 'acknowledged', writes: gathered })
    gathered = []
  })
}

/** A pipe takes it at once on Linux: what was told is told, whatever becomes of this process. */
const tell = (told: Told): void => void process.stdout.write(`${JSON.stringify(told)}\n`)

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '') as OneMemberOptions)
