/** Tables as fleetctl prints them: titles in capitals, columns as wide as they need to be. */
import { usage, type Arguments } from './command.ts'
import type { CliEnvironment } from './environment.ts'

export interface Column<Row> {
  /** As `--fields` names it; the title is the same in capitals. */
  readonly name: string
  /** Only with `--full`, or when it is named. */
  readonly isExtra?: boolean
  readonly cell: (row: Row, full: boolean) => string
}

export interface TableWords {
  /** Said in place of a table where there are no rows. */
  readonly none?: string
  /** The columns, where `--fields` does not say. */
  readonly fields?: string | undefined
}

/** Throws JGD_USAGE for a column that there is not. */
export function printTable<Row>(
  environment: CliEnvironment,
  args: Arguments,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { none, fields }: TableWords = {},
): void {
  const full = args.flag('full')
  const chosen = choose(columns, args.text('fields') ?? fields, full)
  if (rows.length === 0 && none !== undefined) {
    environment.stderr(`${none}\n`)
    return
  }
  const cells = rows.map((row) => chosen.map(({ cell }) => cell(row, full) || '-'))
  const titles = chosen.map(({ name }) => name.toUpperCase())
  const lines = formatColumns(args.flag('legend') ? [titles, ...cells] : cells)
  environment.stdout(lines.map((line) => `${line}\n`).join(''))
}

function choose<Row>(
  columns: readonly Column<Row>[],
  fields: string | undefined,
  full: boolean,
): readonly Column<Row>[] {
  if (fields === undefined) return columns.filter(({ isExtra }) => full || isExtra !== true)
  return fields.split(',').map((field) => {
    const found = columns.find(({ name }) => name === field.trim().toLowerCase())
    if (found !== undefined) return found
    const names = columns.map(({ name }) => name).join(', ')
    throw usage(`there is no column "${field}"`, `choose from ${names}`)
  })
}

/** Two spaces between columns, none at the end of a line. */
export function formatColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, text] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, text.length)
  }
  return rows.map((row) =>
    row
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** fleetctl's way to show a machine: `1a2b3c4d.../10.77.0.1`. */
export function machineText(
  id: string | null,
  address: string | null | undefined,
  full: boolean,
): string {
  if (id === null) return '-'
  return `${idText(id, full)}/${address ?? '-'}`
}

export const idText = (id: string, full: boolean): string =>
  full || id.length <= 8 ? id : `${id.slice(0, 8)}...`

export const metadataText = (metadata: Readonly<Record<string, string>>): string =>
  Object.entries(metadata)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

export function printJson(environment: CliEnvironment, value: unknown): void {
  environment.stdout(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** `2h5m ago`, in two units at most. */
export function agoText(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000))
  if (seconds < 60) return `${seconds}s ago`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${seconds % 60}s ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${minutes % 60}m ago`
  const days = Math.floor(hours / 24)
  return days < 730 ? `${days}d${hours % 24}h ago` : `${Math.floor(days / 365)} years ago`
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
