/** How the cost of a plan grows, as a picture: both axes logarithmic, readable on light and on dark. */
import { median } from '../figures.ts'
import type { SizeFigures } from './one-size.ts'

const width = 640
const height = 380
const left = 70
const right = 20
const top = 46
const bottom = 50

const lines = [
  {
    label: 'cold plan, best',
    color: '#2f7ed8',
    of: (size: SizeFigures) => Math.min(...size.coldMs),
  },
  {
    label: 'one machine lost, median',
    color: '#d9730d',
    of: (size: SizeFigures) => median(size.lostMs),
  },
] as const

export function growthPicture(sizes: readonly SizeFigures[]): string {
  const values = sizes.flatMap((size) => lines.map(({ of }) => of(size)))
  const yMin = Math.floor(Math.log10(Math.min(...values)))
  const yMax = Math.ceil(Math.log10(Math.max(...values)))
  const units = sizes.map((size) => Math.log10(size.units))
  const [xMin, xMax] = [Math.min(...units), Math.max(...units)]
  const x = (log: number): number =>
    left + ((log - xMin) / Math.max(xMax - xMin, 1)) * (width - left - right)
  const y = (log: number): number =>
    height - bottom - ((log - yMin) / Math.max(yMax - yMin, 1)) * (height - top - bottom)
  const grid = Array.from({ length: yMax - yMin + 1 }, (_, n) => yMin + n).map(
    (log) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${at(y(log))}" y2="${at(y(log))}"/>` +
      `<text x="${left - 8}" y="${at(y(log) + 4)}" text-anchor="end">${timeText(10 ** log)}</text>`,
  )
  const ticks = sizes.map(
    (size, n) =>
      `<text x="${at(x(units[n] as number))}" y="${height - bottom + 20}" text-anchor="middle">${size.units.toLocaleString('en')}</text>`,
  )
  const curves = lines.map(({ label, color, of }, n) => {
    const points = sizes.map((size, k) => [x(units[k] as number), y(Math.log10(of(size)))] as const)
    const path = points.map(([px, py]) => `${at(px)},${at(py)}`).join(' ')
    const dots = points.map(
      ([px, py]) => `<circle cx="${at(px)}" cy="${at(py)}" r="4" fill="${color}"/>`,
    )
    const legend = `<text x="${left + n * 200}" y="24" style="fill:${color}">${label}</text>`
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join('')}${legend}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Processor time of a plan by the number of units">
<style>text{font:13px sans-serif;fill:#59636e}.grid{stroke:#8b949e;stroke-opacity:.35}@media (prefers-color-scheme:dark){text{fill:#b1bac4}}</style>
${[...grid, ...ticks, ...curves].join('\n')}
<text x="${(left + width) / 2}" y="${height - 8}" text-anchor="middle">units, twenty for each machine</text>
</svg>
`
}

const at = (value: number): string => value.toFixed(1)
const timeText = (ms: number): string =>
  ms >= 1000 ? `${ms / 1000} s` : `${Number(ms.toPrecision(1))} ms`
