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

/** Levenshtein's: letters put in, left out or changed. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
