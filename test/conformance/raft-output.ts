/** What a script's command prints: lines, sections, and the core's log down to a level. */
import { UnknownCommand } from './script.ts'

const levels = ['debug', 'info', 'warn', 'error', 'fatal', 'none'] as const
export type Level = (typeof levels)[number]

export class ScriptOutput {
  level: Level = 'debug'
  #lines: string[] = []
  #indent = ''

  /** Everything that `body` prints; `level` is for this once. */
  of(body: () => void, level: Level | undefined): string {
    this.#lines = []
    const before = this.level
    if (level !== undefined) this.level = level
    body()
    const quiet = this.level === 'none'
    if (level !== undefined) this.level = before
    return this.#lines.length === 0 || quiet ? 'ok' : this.#lines.join('\n')
  }

  clear(): void {
    this.#lines = []
  }

  print(text: string): void {
    for (const line of text.split('\n')) this.#lines.push(this.#indent + line)
  }

  section(title: string, body: () => void): void {
    this.print(title)
    const before = this.#indent
    this.#indent = `${before}  `
    body()
    this.#indent = before
  }

  trace(level: Level, line: string): void {
    if (levels.indexOf(level) < levels.indexOf(this.level)) return
    this.print(`${level.toUpperCase()} ${line}`)
  }
}

export function levelOf(name: string): Level {
  const level = levels.find((each) => each === name.toLowerCase())
  if (level === undefined) throw new UnknownCommand(`log-level ${name}`)
  return level
}
