/** What somebody may have meant to type. */

/** Letters that may differ: a slip, not another word. */
const slipsMax = 2

/** The one of `words` that is nearest to `typed`, whatever the case; undefined when none is near. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const text = typed.toLowerCase()
  let best: { readonly word: string; readonly distance: number } | undefined
  for (const word of words) {
    if (Math.abs(text.length - word.length) > slipsMax) continue
    const distance = distanceOf(text, word.toLowerCase())
    const isNear = distance <= Math.min(slipsMax, Math.floor(word.length / 3))
    if (isNear && distance < (best?.distance ?? Infinity)) best = { word, distance }
  }
  return best?.word
}

/** Letters put in, left out, changed, or swapped with their neighbour: "optimal string alignment". */
function distanceOf(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i])
    for (let j = 1; j <= b.length; j += 1) {
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : Infinity
      rows[i]?.push(Math.min(changed, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1))
    }
  }
  return at(a.length, b.length)
}
