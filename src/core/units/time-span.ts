/** Time spans as systemd.time(7) writes them: `90`, `1min 30s`, `1.5h`, `infinity`. */

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
/** As systemd.time(7): a year has 365.25 days, a month a twelfth of that. */
const year = 365.25 * day

const unitMs: Readonly<Record<string, number>> = {
  ...names(['usec', 'us', 'µs', 'μs'], second / 1e6),
  ...names(['msec', 'ms'], 1),
  ...names(['seconds', 'second', 'sec', 's', ''], second),
  ...names(['minutes', 'minute', 'min', 'm'], minute),
  ...names(['hours', 'hour', 'hr', 'h'], hour),
  ...names(['days', 'day', 'd'], day),
  ...names(['weeks', 'week', 'w'], 7 * day),
  ...names(['months', 'month', 'M'], year / 12),
  ...names(['years', 'year', 'y'], year),
}

function names(list: readonly string[], ms: number): Record<string, number> {
  return Object.fromEntries(list.map((name) => [name, ms]))
}

/** Milliseconds, rounded up to a whole one; `Infinity` for `infinity`; undefined if malformed. */
export function parseTimeSpan(text: string): number | undefined {
  const trimmed = text.trim()
  if (trimmed === 'infinity') return Infinity
  const term = /\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Zµμ]*)\s*/uy
  let total = 0
  let at = 0
  while (at < trimmed.length) {
    term.lastIndex = at
    const match = term.exec(trimmed)
    if (match === null) return undefined
    const ms = Object.hasOwn(unitMs, match[2] as string) ? unitMs[match[2] as string] : undefined
    if (ms === undefined) return undefined
    total += Number(match[1]) * ms
    at = term.lastIndex
  }
  if (trimmed === '' || !(total <= Number.MAX_SAFE_INTEGER)) return undefined
  return Math.ceil(total - 1e-9)
}
