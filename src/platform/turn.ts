/** The end of a turn of the loop: when all that it has brought is taken, and before the next begins. */

let waiting: (() => void)[] = []
let isArmed = false

/**
 * Calls `fire` once at the end of this turn. What it asks for in its turn still belongs to the same
 * end, so that a write which a batch leads to leaves with that batch.
 */
export function atTurnsEnd(fire: () => void): void {
  waiting.push(fire)
  if (isArmed) return
  isArmed = true
  setImmediate(run)
}

function run(): void {
  let done = 0
  try {
    while (done < waiting.length) {
      done += 1
      waiting[done - 1]?.()
    }
  } finally {
    // Only when one of them threw is anything left.
    waiting = waiting.slice(done)
    isArmed = waiting.length > 0
    if (isArmed) setImmediate(run)
  }
}
