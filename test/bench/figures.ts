/** Figures and the goals they are held against. */

export interface Figure {
  readonly name: string
  /** Nothing for what is counted; `%` is of one processor. */
  readonly unit: 's' | 'ms' | 'MB' | '%' | 'KB/s' | ''
  readonly value: number
  /** At most this; `Infinity` for what is only told. */
  readonly goal: number
  /** All that was measured, in the order of measuring; one value for a single measurement. */
  readonly samples: readonly number[]
}

const digits: Readonly<Record<Figure['unit'], number>> = {
  s: 2,
  ms: 0,
  MB: 1,
  '%': 2,
  'KB/s': 1,
  '': 0,
}

export function figureLines(figures: readonly Figure[]): string[] {
  const width = Math.max(...figures.map(({ name }) => name.length))
  return figures.map(({ name, unit, value, goal }) => {
    const text = (number: number): string => `${number.toFixed(digits[unit])} ${unit}`.trimEnd()
    const told = `${name.padEnd(width)}  ${text(value).padStart(9)}`
    if (goal === Infinity) return told
    const verdict = value <= goal ? 'met' : 'MISSED'
    const ratio = goal === 0 ? '' : `  ratio ${(value / goal).toFixed(2)}`
    return `${told}  goal ${text(goal).padStart(9)}${ratio}  ${verdict}`
  })
}

/** The lower one of the two in the middle when there is an even number. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN
}

/** The least sample that `part` (0 to 1) of all samples do not exceed. */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN
}

export const worst = (samples: readonly number[]): number => Math.max(...samples)

/** Median and worst of the same samples, as two figures. */
export const medianAndWorst = (
  name: string,
  unit: Figure['unit'],
  samples: readonly number[],
  goals: { readonly median: number; readonly worst: number },
): Figure[] => [
  { name: `${name}: median`, unit, value: median(samples), goal: goals.median, samples },
  { name: `${name}: worst`, unit, value: worst(samples), goal: goals.worst, samples },
]
