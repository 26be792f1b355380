/** The bench's page: what was measured, as `docs/bench/settled.md` has it. */
import { median, worst } from '../figures.ts'
import type { HostRow, SettledReport } from './settled.ts'
import { kinds } from './usage.ts'

export interface Occasion {
  readonly commit: string
  /** Processors, their model, and the load before the first look. */
  readonly machine: string
}

const whole = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 0 })
const percent = (value: number): string => `${value.toFixed(2)} %`
const kb = (value: number): string => `${value.toFixed(1)} KB/s`

export function settledPage(report: SettledReport, { commit, machine }: Occasion): string {
  const { units, seconds, hosts, startedInMs, revisions, changed, wokenInCalm } = report
  const sum = (of: (row: HostRow) => number): number => hosts.reduce((all, row) => all + of(row), 0)
  const looks = changed.flatMap(({ woken }) => woken.map((one) => one.looks))
  const calls = changed.flatMap(({ woken }) => woken.map((one) => one.calls))
  const exactlyOne = changed.filter(({ woken }) => woken.length === 1).length
  return `# A settled cluster

\`npm run bench -- settled --units ${units} --seconds ${seconds} --changes ${changed.length} --out FILE\`: five hosts of the rack, each
with its own engine, and ${whole(units)} units that do nothing (\`busybox\`, two processes each, without a network). They
ran ${(startedInMs / 1000).toFixed(0)} s after they were asked for. After half a minute of calm nothing was done for ${seconds} s, and the kernel's
counters were read before and after. Then one unit after the other was stopped or started, and every agent's
counters (\`jangada_agent_looks_total\`, \`jangada_engine_calls_total\`) were read once all had been quiet for two seconds.

At ${commit}, on ${machine}.

## Nothing happens

Processor time, in percent of one processor:

${table(
  ['', ...hosts.map(({ host, role }) => `${host}, ${role}`), 'all'],
  [
    ['units', ...hosts.map((row) => whole(row.units)), whole(sum((row) => row.units))],
    ...kinds.map((kind) => [
      kind === 'jangada' ? '**jangada**' : kind,
      ...hosts.map((row) => percent(row.cpu[kind])),
      percent(sum((row) => row.cpu[kind])),
    ]),
    ['a node, resident', ...hosts.map((row) => `${row.memoryMb.toFixed(0)} MB`), ''],
    ['sent', ...hosts.map((row) => kb(row.sentKb)), kb(sum((row) => row.sentKb))],
    ['received', ...hosts.map((row) => kb(row.receivedKb)), kb(sum((row) => row.receivedKb))],
    ['written to the log', ...hosts.map((row) => kb(row.walKb)), kb(sum((row) => row.walKb))],
    [
      'syncs of the log a minute',
      ...hosts.map((row) => whole(row.syncs * 60)),
      whole(sum((row) => row.syncs) * 60),
    ],
  ],
)}

\`jangada\` is agent and member, which are one process. \`rest\` is what a host's init runs beside them. Only the nodes
have anything to say on the cable. The store took ${whole(revisions)} transactions in these ${seconds} s.
Agents woken by anything but the clock: ${wokenInCalm.length}.

## One unit is changed

${table(
  ['', ''],
  [
    ['changes, each a stop or a start of one unit', whole(changed.length)],
    ['changes that woke exactly one agent', whole(exactlyOne)],
    ['agents woken by a change, most', whole(worst(changed.map(({ woken }) => woken.length)))],
    ['looks of that agent, median and most', `${median(looks)}, ${worst(looks)}`],
    ['its calls to its engine, median and most', `${median(calls)}, ${worst(calls)}`],
  ],
)}

A look compares what should run with what runs. That no other agent looks is held without any clock by
\`test/sim/settled.test.ts\`.
`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
