/**
 * Durable writes and linearizable reads on three nodes, ours and etcd's side by side: the same
 * hosts, disks, network, generator, number of clients, keys and values; several interleaved runs.
 */
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { median } from '../figures.ts'
import { inRack } from '../rack.ts'
import { etcdPrograms } from './etcd-programs.ts'
import type { LoadResult } from './load.ts'
import { batchKeys, type LoadKind, keyCount, type StoreName } from './order.ts'
import { members, type Security, startStore, stopOurs } from './stores.ts'

export interface ConsensusRow {
  readonly security: Security
  readonly kind: LoadKind
  readonly clients: number
  /** Medians of the runs. */
  readonly ours: LoadResult
  readonly theirs: LoadResult
  /** The median of the runs' own ratios, ours to theirs: above 1 we did more. */
  readonly ratio: number
}

export interface ConsensusOptions {
  readonly runs: number
  readonly seconds: number
  readonly clients: readonly number[]
}

export interface ConsensusReport {
  readonly rows: readonly ConsensusRow[]
  /** Acknowledged keys that nobody could read after SIGKILL for all three, by store. */
  readonly lost: Readonly<Record<StoreName, number>>
  readonly acknowledged: Readonly<Record<StoreName, number>>
}

/** The path for those who have many keys to write at once is beside the others, not among them. */
const batchClients = 64
const securities = ['plain', 'tls'] as const
const names = ['jangada', 'etcd'] as const

interface Cell {
  readonly results: LoadResult[]
}

export async function benchConsensus(
  options: ConsensusOptions,
  say: (line: string) => void,
): Promise<ConsensusReport> {
  // Before anything is built up that would have to be taken down again.
  await etcdPrograms()
  return inRack({ hosts: members.length + 1, members }, async (rack) => {
    await stopOurs(rack)
    const cells = new Map<string, Cell>()
    const acknowledged = { jangada: new Set<number>(), etcd: new Set<number>() }
    const lost = { jangada: 0, etcd: 0 }
    for (let run = 1; run <= options.runs; run += 1) {
      for (const security of securities) {
        for (const name of names) {
          say(`run ${run} of ${options.runs}: ${name}, ${security}`)
          const keys = acknowledged[name]
          const isLast = run === options.runs && security === 'tls'
          // etcd starts from nothing each time; what it acknowledged then is gone on purpose.
          if (name === 'etcd') keys.clear()
          const seen = await runOnce(rack, name, security, { ...options, seed: run, isLast, keys })
          lost[name] += seen.lost
          for (const [key, result] of seen.results) {
            const cell = cells.get(`${name} ${key}`) ?? { results: [] }
            cell.results.push(result)
            cells.set(`${name} ${key}`, cell)
          }
        }
      }
    }
    const rows = securities.flatMap((security) =>
      loadsOf(options).map((load) => rowOf(cells, { security, ...load })),
    )
    const counted = { jangada: acknowledged.jangada.size, etcd: acknowledged.etcd.size }
    return { rows, lost, acknowledged: counted }
  })
}

interface RunOptions extends ConsensusOptions {
  readonly seed: number
  readonly isLast: boolean
  readonly keys: Set<number>
}

async function runOnce(
  rack: Rack,
  name: StoreName,
  security: Security,
  options: RunOptions,
): Promise<{ readonly results: ReadonlyMap<string, LoadResult>; readonly lost: number }> {
  const { seconds, seed } = options
  const store = await startStore(rack, name, security)
  try {
    // Every key is there before anything is read or measured, and the code is warm.
    await fill(store, options)
    const wanted = loadsOf(options).map((load) => ({ ...load, seconds }))
    const { rows, acknowledged } = await store.load({ seed, rows: wanted })
    for (const key of acknowledged) options.keys.add(key)
    const results = new Map(
      wanted.map(({ kind, clients }, at) => [keyOf({ security, kind, clients }), rows[at]!]),
    )
    return { results, lost: options.isLast ? await countLost(store, options.keys) : 0 }
  } finally {
    await store.stop()
  }
}

type Store = Awaited<ReturnType<typeof startStore>>
const fillClients = 64
const fillSecondsMax = 60

async function fill(store: Store, { keys, seed }: RunOptions): Promise<void> {
  for (let seconds = 0; seconds < fillSecondsMax && keys.size < keyCount; seconds += 5) {
    const rows = [{ kind: 'put', clients: fillClients, seconds: 5 }] as const
    const { acknowledged } = await store.load({ seed: seed * 1000 + seconds, rows })
    for (const key of acknowledged) keys.add(key)
  }
}

async function countLost(store: Store, keys: ReadonlySet<number>): Promise<number> {
  await store.killAllAndRestart()
  const { missing } = await store.load({ seed: 0, rows: [], look: [...keys] })
  return missing.length
}

function loadsOf({ clients }: ConsensusOptions): readonly Omit<Place, 'security'>[] {
  const each = (kind: LoadKind) => clients.map((count) => ({ kind, clients: count }))
  return [...each('put'), { kind: 'batch', clients: batchClients }, ...each('read')]
}

interface Place {
  readonly security: Security
  readonly kind: LoadKind
  readonly clients: number
}

const keyOf = ({ security, kind, clients }: Place): string => `${security} ${kind} ${clients}`

function rowOf(cells: ReadonlyMap<string, Cell>, place: Place): ConsensusRow {
  const of = (name: StoreName): readonly LoadResult[] =>
    cells.get(`${name} ${keyOf(place)}`)?.results ?? []
  const ours = of('jangada')
  const theirs = of('etcd')
  const ratios = ours.map(({ perSecond }, at) => perSecond / (theirs[at]?.perSecond ?? NaN))
  return { ...place, ours: medians(ours), theirs: medians(theirs), ratio: median(ratios) }
}

const medians = (results: readonly LoadResult[]): LoadResult => ({
  perSecond: median(results.map(({ perSecond }) => perSecond)),
  p50Ms: median(results.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(results.map(({ p99Ms }) => p99Ms)),
  refused: results.reduce((sum, { refused }) => sum + refused, 0),
})

export function consensusLines({ rows, lost, acknowledged }: ConsensusReport): string[] {
  const head = `${'WHAT'.padEnd(24)}${'OURS/s'.padStart(9)}${'p50'.padStart(8)}${'p99'.padStart(9)}`
  const theirs = `${'ETCD/s'.padStart(10)}${'p50'.padStart(8)}${'p99'.padStart(9)}${'RATIO'.padStart(8)}`
  const cells = ({ perSecond, p50Ms, p99Ms }: LoadResult): string =>
    `${perSecond.toFixed(0).padStart(9)}${p50Ms.toFixed(2).padStart(8)}${p99Ms.toFixed(2).padStart(9)}`
  const lines = rows.map(({ security, kind, clients, ours, theirs: etcd, ratio }) => {
    const name = kind === 'batch' ? `put x ${batchKeys}` : kind
    const what = `${security} ${name}, ${clients} client${clients === 1 ? '' : 's'}`.padEnd(24)
    const refused = ours.refused + etcd.refused
    const note = refused === 0 ? '' : `  (refused: ${ours.refused}, ${etcd.refused})`
    return `${what}${cells(ours)} ${cells(etcd)}${ratio.toFixed(2).padStart(8)}${note}`
  })
  const kept = names.map(
    (name) => `${name}: ${lost[name]} of ${acknowledged[name]} acknowledged keys`,
  )
  return [`${head}${theirs}`, ...lines, `lost by kill -9 of all three: ${kept.join('; ')}`]
}
