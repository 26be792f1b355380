/** Packet loss and partitions, as one nftables table on the switch's bridge. */
import { inNetwork } from './network.ts'
import { portName } from './names.ts'
import { must } from './processes.ts'
import { JangadaError } from '../../base/errors.ts'

export interface Faults {
  /** Of packets from and to this machine, in percent; each direction loses on its own. */
  readonly loss: Readonly<Record<string, number>>
  /** What `from` sends does not reach `to`; the other way is another entry. */
  readonly partitions: readonly { readonly from: string; readonly to: string }[]
}

export const noFaults: Faults = { loss: {}, partitions: [] }

const table = 'bridge jangada_rack'
/** nftables draws a whole number below this for each packet. */
const lossScale = 10_000

export function withLoss(faults: Faults, machine: string, percent: number): Faults {
  if (!(percent >= 0 && percent <= 100)) {
    throw new JangadaError('JGD_USAGE', `a loss of ${percent} % cannot be`, {
      hint: 'Give a number from 0 to 100.',
    })
  }
  const { [machine]: _, ...others } = faults.loss
  return { ...faults, loss: percent === 0 ? others : { ...others, [machine]: percent } }
}

export function withPartition(
  faults: Faults,
  from: readonly string[],
  to: readonly string[],
  direction: 'one-way' | 'both',
): Faults {
  const pairs = from.flatMap((one) => to.map((other) => ({ from: one, to: other })))
  const back = direction === 'both' ? pairs.map(({ from: f, to: t }) => ({ from: t, to: f })) : []
  const known = new Map(
    [...faults.partitions, ...pairs, ...back].map((pair) => [`${pair.from} ${pair.to}`, pair]),
  )
  return { ...faults, partitions: [...known.values()] }
}

/** Without any fault that has to do with `machine`. */
export function healed(faults: Faults, machine: string): Faults {
  const { [machine]: _, ...loss } = faults.loss
  const partitions = faults.partitions.filter(({ from, to }) => from !== machine && to !== machine)
  return { loss, partitions }
}

/** The whole table as one atomic change: an old one is replaced without a moment in between. */
export function faultRules({ loss, partitions }: Faults): string {
  const rules = [
    ...partitions.map(
      ({ from, to }) => `iifname "${portName(from)}" oifname "${portName(to)}" counter drop`,
    ),
    ...Object.entries(loss).flatMap(([machine, percent]) => {
      const below = Math.round((percent / 100) * lossScale)
      // All of them is a comparison that nftables refuses, because it is always true.
      const some = below < lossScale ? `numgen random mod ${lossScale} < ${below} ` : ''
      const port = `"${portName(machine)}"`
      return ['iifname', 'oifname'].map((side) => `${side} ${port} ${some}counter drop`)
    }),
  ]
  const chain = ['type filter hook forward priority 0; policy accept;', ...rules]
  return [
    `table ${table}`,
    `delete table ${table}`,
    ...(rules.length === 0
      ? []
      : [`table ${table} {`, ' chain forward {', ...chain.map((line) => `  ${line}`), ' }', '}']),
    '',
  ].join('\n')
}

export async function applyFaults(switchPid: number, faults: Faults): Promise<void> {
  await must([...inNetwork(switchPid), 'nft', '-f', '-'], { input: faultRules(faults) })
}
