/** Other programs, run to their end. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { JangadaError } from '../base/errors.ts'

/** The output kept for the caller, and so for a failure's message: its last part. */
const outputCharactersMax = 1024 * 1024
const tailLines = 12

export interface CommandOptions {
  readonly cwd?: string
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The program is killed after this time. */
  readonly timeoutMs: number
  /** Standard output goes into this new file instead of into the result. */
  readonly stdoutFile?: string
  readonly input?: string
  readonly signal?: AbortSignal
}

/**
 * Runs `program`, found on PATH and in the system's own directories, and resolves to its standard
 * output (the last MiB of it). Rejects with `JGD_COMMAND_FAILED`, carrying the last lines of what
 * it said, when it cannot be started, ends with another code than 0, or takes too long.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PATH: searchPath(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  // Not spawn's own `timeout`: its timer outlives a program that could not be started.
  const late = setTimeout(() => child.kill(), options.timeoutMs)
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(late)
      reject(failure(program, 'could not run', '', error))
    })
    child.once('close', (code, signal) => {
      clearTimeout(late)
      if (code === 0) resolve(stdout)
      else reject(failure(program, `ended with ${code ?? signal ?? 'nothing'}`, stderr || stdout))
    })
  })
  let stdout = ''
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = keep(stderr, text)))
  // A program that ends without reading its input is judged by its exit code, not by our EPIPE.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  if (options.stdoutFile === undefined) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout = keep(stdout, text)))
    return await ended
  }
  const written = pipeline(child.stdout, createWriteStream(options.stdoutFile))
  const [outcome] = await Promise.all([ended, written])
  return outcome
}

/** True when `program` can be found; Debian's administrative tools need not be on a user's PATH. */
export async function hasProgram(program: string): Promise<boolean> {
  for (const directory of searchPath().split(':')) {
    try {
      await access(path.join(directory, program), constants.X_OK)
      return true
    } catch {
      continue
    }
  }
  return false
}

const searchPath = (): string =>
  [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
    .filter((part) => part !== '')
    .join(':')

const keep = (text: string, more: string): string => (text + more).slice(-outputCharactersMax)

function failure(program: string, what: string, output: string, cause?: unknown): JangadaError {
  const tail = output.trimEnd().split('\n').slice(-tailLines).join('\n')
  return new JangadaError('JGD_COMMAND_FAILED', `${program} ${what}${tail && `:\n${tail}`}`, {
    ...(cause === undefined ? {} : { cause }),
  })
}
