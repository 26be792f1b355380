/** Work that yields where it may be left for a while, done at once. */
export function atOnce<T>(parts: Generator<undefined, T>): T {
  for (;;) {
    const part = parts.next()
    if (part.done === true) return part.value
  }
}
