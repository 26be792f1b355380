/**
 * What a million durable puts leave behind, ours beside etcd's: memory of each member, bytes on its disk,
 * and bytes that it wrote to get there. The same keys, values, hosts and generator as in `consensus`.
 */
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { median } from '../figures.ts'
import { inRack } from '../rack.ts'
import { etcdPrograms } from './etcd-programs.ts'
import type { StoreName } from './order.ts'
import { members, type RunningStore, startStore, stopOurs } from './stores.ts'

const clients = 64
const spellSeconds = 5
const spellsMax = 60
const names = ['jangada', 'etcd'] as const

export interface MemberWeight {
  readonly residentMb: number
  readonly diskMb: number
  /** What the kernel was given to write, since its start. */
  readonly writtenMb: number
}

export interface WeightReport {
  readonly puts: Readonly<Record<StoreName, number>>
  readonly before: Readonly<Record<StoreName, readonly MemberWeight[]>>
  readonly after: Readonly<Record<StoreName, readonly MemberWeight[]>>
}

export async function benchWeight(
  puts: number,
  say: (line: string) => void,
): Promise<WeightReport> {
  await etcdPrograms()
  return inRack({ hosts: members.length + 1, members }, async (rack) => {
    await stopOurs(rack)
    const seen = { puts: {}, before: {}, after: {} } as Record<string, Record<string, unknown>>
    for (const name of names) {
      const store = await startStore(rack, name, 'plain')
      try {
        seen['before']![name] = await weigh(rack, store)
        seen['puts']![name] = await put(store, puts, say)
        seen['after']![name] = await weigh(rack, store)
      } finally {
        await store.stop()
      }
    }
    return seen as unknown as WeightReport
  })
}

/** At least `puts` keys, many in one transaction: the path that takes least time on both. */
async function put(
  store: RunningStore,
  puts: number,
  say: (line: string) => void,
): Promise<number> {
  let done = 0
  for (let seed = 1; done < puts; seed += 1) {
    if (seed > spellsMax) throw new Error(`${store.name} took only ${done} puts`)
    const rows = [{ kind: 'batch', clients, seconds: spellSeconds }] as const
    const report = await store.load({ seed, rows })
    done += Math.round((report.rows[0]?.perSecond ?? 0) * spellSeconds)
    say(`${store.name}: ${done} puts`)
  }
  return done
}

const weigh = (rack: Rack, store: RunningStore): Promise<MemberWeight[]> =>
  Promise.all(
    members.map(async (host) => {
      const pid = await rack.servicePid(host, store.service)
      const read = (file: string) => rack.sh(host, ['cat', `/proc/${pid}/${file}`])
      const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(await read('status'))?.[1])
      const written = Number(/^write_bytes: (\d+)$/m.exec(await read('io'))?.[1])
      const disk = await rack.sh(host, ['du', '-s', '--block-size=1', store.directory])
      return {
        residentMb: (resident * 1024) / 1e6,
        diskMb: Number.parseInt(disk, 10) / 1e6,
        writtenMb: written / 1e6,
      }
    }),
  )

/** Medians of the three members, what was written per million puts. */
export function weightLines({ puts, before, after }: WeightReport): string[] {
  const of = (name: StoreName, each: (one: MemberWeight) => number, from = after): number =>
    median(from[name].map(each))
  const row = (what: string, value: (name: StoreName) => number): string => {
    const [ours, theirs] = [value('jangada'), value('etcd')]
    const cell = (number: number): string => number.toFixed(1).padStart(10)
    return `${what.padEnd(36)}${cell(ours)}${cell(theirs)}${(ours / theirs).toFixed(2).padStart(8)}`
  }
  const perMillion = (name: StoreName, each: (one: MemberWeight) => number): number =>
    (of(name, each) - of(name, each, before)) / (puts[name] / 1e6)
  return [
    `${'A MEMBER, MB'.padEnd(36)}${'OURS'.padStart(10)}${'ETCD'.padStart(10)}${'RATIO'.padStart(8)}`,
    row('memory, before', (name) => of(name, ({ residentMb }) => residentMb, before)),
    row('memory, after', (name) => of(name, ({ residentMb }) => residentMb)),
    row('on disk, after', (name) => of(name, ({ diskMb }) => diskMb)),
    row('written, per million puts', (name) => perMillion(name, ({ writtenMb }) => writtenMb)),
    `puts: ${names.map((name) => `${name} ${puts[name]}`).join(', ')}`,
  ]
}
