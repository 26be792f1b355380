/** Cleaning up on Ctrl-C. */

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `cleanup` once when the process is told to end, and then ends it with the signal's usual
 * exit code. A second signal ends it at once: `jangada rack down` can do the rest later. Returns
 * a function that takes the registration back.
 */
export function onInterrupt(cleanup: (signal: string) => Promise<unknown>): () => void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  let cleaning = false
  const handlers = signals.map((signal) => {
    const handler = (): void => {
      if (cleaning) process.exit(codes[signal])
      cleaning = true
      const end = (): void => process.exit(codes[signal])
      cleanup(signal).then(end, end)
    }
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  return () => {
    for (const remove of handlers) remove()
  }
}
