/** `/status` for a browser: one page without scripts or anything to fetch, fit for a phone. */
import type { PublicUnitRow, StatusCounts, StatusReport } from './answers.ts'

/** Nothing may be loaded or run: even text that slipped through the escaping could do nothing. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const style = `
:root{color-scheme:light dark;font:16px/1.45 system-ui,sans-serif}
body{margin:0 auto;max-width:64rem;padding:1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}
td{overflow-wrap:anywhere}.wide{overflow-x:auto}
.warn{background:#b450;border:1px solid #b45;padding:.5rem .8rem;border-radius:.4rem;margin:.8rem 0}
.active,.ready,.voter{color:#187a3c}.failed,.lost,.alarm{color:#c2273d}.unknown,.warning{color:#a06000}
@media(prefers-color-scheme:dark){.active,.ready,.voter{color:#5cc98a}.failed,.lost,.alarm{color:#ff8a98}
.unknown,.warning{color:#f0b45a}}
`

/** Safe in text and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

type Cell = string | { readonly text: string; readonly mark: string }

function table(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const headRow = titles.map((title) => `<th>${escapeHtml(title)}</th>`).join('')
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')
  return `<div class="wide"><table><tr>${headRow}</tr>\n${body}</table></div>`
}

const cell = (value: Cell): string =>
  typeof value === 'string'
    ? `<td>${escapeHtml(value)}</td>`
    : `<td class="${escapeHtml(value.mark)}">${escapeHtml(value.text)}</td>`

const marked = (word: string): Cell => ({ text: word, mark: word })

export type PublicStatus = StatusReport<PublicUnitRow> | StatusCounts

export function statusPage(status: PublicStatus, nowMs: number): string {
  const { cluster, node, leader, term, revision, stale } = status
  const warning =
    stale === false
      ? ''
      : `<p class="warn">No quorum is known here. What follows is at least ${seconds(stale.forMs)} old.</p>`
  const leads =
    leader === null ? 'no leader' : `leader ${leader.name ?? `member ${leader.memberId}`}`
  const line = `${node.name} (${node.role}), ${leads}, term ${term}, revision ${revision}`
  const parts = 'counts' in status ? counts(status) : lists(status, nowMs)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Jangada ${escapeHtml(cluster.slice(0, 8))}</title><style>${style}</style></head>
<body><h1>Jangada ${escapeHtml(cluster.slice(0, 8))}</h1>
<p>${escapeHtml(line)}</p>
${warning}
${parts.join('\n')}
</body></html>
`
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

function counts({ counts: { members, machines, units } }: StatusCounts): string[] {
  const rows = [
    ['members', String(members)],
    ...Object.entries(machines).map(([state, count]) => [`machines ${state}`, String(count)]),
    ...Object.entries(units).map(([state, count]) => [`units ${state}`, String(count)]),
  ]
  return [table(['What', 'How many'], rows)]
}

function lists(status: StatusReport<PublicUnitRow>, nowMs: number): string[] {
  const machines = status.machines.map(({ name, id, address, status: state, units, metadata }) => {
    const labels = Object.entries(metadata).map(([key, value]) => `${key}=${value}`)
    return [name, marked(state), address, String(units), labels.join(' '), id.slice(0, 8)]
  })
  const units = status.units.map((unit) => [
    unit.name,
    unit.machineName ?? unit.machine?.slice(0, 8) ?? '-',
    marked(unit.active),
    unit.sub,
    String(unit.restarts),
  ])
  const members = status.members.map(({ id, name, address, role, isLeader }) => [
    String(id),
    name,
    address,
    { text: isLeader ? `${role}, leader` : role, mark: role },
  ])
  const events = status.events
    .toReversed()
    .map(({ atMs, severity, message }) => [
      `${seconds(Math.max(0, nowMs - atMs))} ago`,
      { text: message, mark: severity },
    ])
  return [
    '<h2>Machines</h2>',
    table(['Name', 'Status', 'Address', 'Units', 'Metadata', 'Id'], machines),
    '<h2>Units</h2>',
    table(['Unit', 'Machine', 'Active', 'Sub', 'Restarts'], units),
    '<h2>Members</h2>',
    table(['Id', 'Machine', 'Address', 'Role'], members),
    ...boots(status),
    '<h2>Events</h2>',
    table(['When', 'What'], events),
  ]
}

function boots({ boots: booted }: StatusReport<PublicUnitRow>): string[] {
  if (booted.length === 0) return []
  const rows = booted.map(({ mac, steps }) => {
    const first = steps[0]?.atMs ?? 0
    const told = steps.map(({ atMs, kind, file }) =>
      [`+${seconds(atMs - first)}`, kind, file ?? ''].filter((word) => word !== '').join(' '),
    )
    return [mac, told.join(', ')]
  })
  return ['<h2>Boots from this node</h2>', table(['MAC', 'Steps'], rows)]
}
