/** The few programs that simulated containers run: the same lines that busybox understands. */

export type ProgramStep =
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'echo'; readonly text: string }
  | { readonly kind: 'exit'; readonly code: number }

/** Undefined when there is no such program. Without any, a shell waits for ever. */
export function readProgram(words: readonly string[]): readonly ProgramStep[] | undefined {
  if (words.length === 0) return [{ kind: 'sleep', ms: Infinity }]
  if (words[0] === 'sh' && words[1] === '-c') {
    const steps = (words[2] ?? '').split(';').map((line) => readStep(line.trim().split(/\s+/)))
    return steps.every((step) => step !== undefined) ? steps : undefined
  }
  const step = readStep(words)
  return step === undefined ? undefined : [step]
}

function readStep([program, ...rest]: readonly string[]): ProgramStep | undefined {
  switch (program) {
    case 'sleep':
      return { kind: 'sleep', ms: Number(rest[0]) * 1000 }
    case 'echo':
      return { kind: 'echo', text: `${rest.join(' ')}\n` }
    case 'exit':
      return { kind: 'exit', code: Number(rest[0]) }
    case 'true':
      return { kind: 'exit', code: 0 }
    case 'false':
      return { kind: 'exit', code: 1 }
    default:
      return undefined
  }
}
