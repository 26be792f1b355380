/** Starting programs, and telling whether a process is still the one that was started. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { rackError } from './world.ts'

export interface RunOptions {
  readonly input?: string | Uint8Array
  /** After this the program is killed; 30 s unless told. `Infinity` waits for ever. */
  readonly timeoutMs?: number
  /** `inherit` gives the program our terminal; nothing is captured then. */
  readonly stdio?: 'capture' | 'inherit'
}

export interface RunResult {
  /** The exit code; 128 + 9 when it was killed, by us or by others. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

const timeoutMsDefault = 30_000
/** A program that says more than this is killed: nobody reads it, and memory is bounded. */
const outputBytesMax = 64 * 1024 * 1024
const killedCode = 137

/** The environment of everything in the rack; nothing of the caller's leaks in. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  TERM: 'xterm',
  LANG: 'C.UTF-8',
}

/** Runs a program to its end. A code other than 0 is an answer; only a failed start throws. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...rest] = argv
  const timeoutMs = options.timeoutMs ?? timeoutMsDefault
  const inherit = options.stdio === 'inherit'
  const input = options.input === undefined ? 'ignore' : 'pipe'
  const stdio: StdioOptions = inherit ? 'inherit' : [input, 'pipe', 'pipe']
  return new Promise((resolve, reject) => {
    const signal = Number.isFinite(timeoutMs) ? AbortSignal.timeout(timeoutMs) : undefined
    const child = spawn(program, rest, { stdio, env: environment })
    const output = collect(child)
    let timedOut = false
    const finish = (code: number): void => {
      signal?.removeEventListener('abort', expire)
      resolve({ code, ...output(), timedOut })
    }
    const expire = (): void => {
      timedOut = true
      child.kill('SIGKILL')
      // A process in a frozen cgroup dies only when thawed: its end is not waited for.
      child.unref()
      finish(killedCode)
    }
    signal?.addEventListener('abort', expire, { once: true })
    child.once('error', (cause) => reject(rackError(`cannot start ${program}`, undefined, cause)))
    child.once('close', (code) => finish(code ?? killedCode))
    // A program that ends before it has read its input is no failure of ours.
    child.stdin?.on('error', () => undefined)
    if (options.input !== undefined) child.stdin?.end(options.input)
  })
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const parts: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] }
  let bytes = 0
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > outputBytesMax) child.kill('SIGKILL')
      else parts[name].push(chunk)
    })
  }
  return () => ({
    stdout: Buffer.concat(parts.stdout).toString(),
    stderr: Buffer.concat(parts.stderr).toString(),
  })
}

/** As `run`, but a code other than 0 throws `JGD_RACK` with what the program said. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options)
  if (result.code === 0) return result.stdout
  const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000)
  const why = result.timedOut ? `${endOf(result)}${said && `: ${said}`}` : said || endOf(result)
  throw rackError(`${argv.join(' ').slice(0, 300)}: ${why}`)
}

/** In words: that time was up, or the exit code. */
export const endOf = ({ timedOut, code }: RunResult): string =>
  timedOut ? 'killed, as it had not ended in the time it was given' : `exit code ${code}`

/** A process that outlives us, in a session of its own. Its words are appended to `logFile`. */
export async function startDetached(argv: readonly string[], logFile: string): Promise<ProcessRef> {
  const [program = '', ...rest] = argv
  const log = openSync(logFile, 'a')
  try {
    const child = spawn(program, rest, {
      stdio: ['ignore', log, log],
      env: environment,
      detached: true,
      cwd: '/',
    })
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause) => reject(rackError(`cannot start ${program}`, undefined, cause)))
    })
    child.unref()
    const reference = await processRef(child.pid ?? 0)
    if (reference === undefined) throw rackError(`${program} ended at once; see ${logFile}`)
    return reference
  } finally {
    closeSync(log)
  }
}

/** A pid may be given to another process; together with its start time it may not. */
export interface ProcessRef {
  readonly pid: number
  /** Clock ticks since the machine booted, from /proc/PID/stat. */
  readonly startTicks: number
}

export async function processRef(pid: number): Promise<ProcessRef | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The second field is a name in parentheses that may hold anything; fields count from after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return { pid, startTicks: Number(fields[19]) }
  } catch {
    return undefined
  }
}

export async function isAlive(reference: ProcessRef | undefined): Promise<boolean> {
  if (reference === undefined) return false
  return (await processRef(reference.pid))?.startTicks === reference.startTicks
}

export type NamespaceKind = 'net' | 'mnt' | 'pid' | 'uts' | 'ipc' | 'cgroup'

/** `net:[4026532201]`, the kernel's own name for it; undefined when the process is gone. */
export async function namespaceOf(pid: number, kind: NamespaceKind): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/${kind}`).catch(() => undefined)
}

/** Undefined when there is no such process, which for a kill is success. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended between being listed and being killed.
  }
}
