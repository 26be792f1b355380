import { usage } from './command.ts'

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** `90s`, `30m`, `12h`, `7d`, in milliseconds. `what` names it in the error. Throws JGD_USAGE. */
export function durationMs(text: string, what: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  const unit = unitsMs[match?.[2] ?? '']
  if (unit === undefined)
    throw usage(`${what} ${text}: write a time such as 30s, 12h or 7d, of whole seconds`)
  return Number(match?.[1]) * unit
}
