/** Where things are, how scripts speak, and how they run other programs. Node 18, no dependency. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')
export const inRoot = (...parts) => path.join(root, ...parts)

/** The Node that the project runs on, whatever the machine has: from npm, see package.json. */
export const pinnedNode = inRoot(`node_modules/node-linux-${process.arch}/bin/node`)

export const say = (text) => process.stdout.write(`${text}\n`)

/** With the directories of what only root runs: `su` without a dash leaves them out of PATH. */
const searchPath = () =>
  [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
    .filter((part) => part !== '')
    .join(':')

/** A mistake or a lack that the person at the keyboard can do something about. */
export class Refusal extends Error {}

/** Runs `main`; a refusal becomes one message, anything else is our bug and keeps its stack. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    process.stderr.write(`${error instanceof Refusal ? error.message : error.stack}\n`)
    process.exitCode = 1
  }
}

/**
 * Runs a program in the project's directory and resolves to its exit code, 128 + n when signal n
 * ended it, as a shell has it. `onLine` gets its output line by line, both streams (with
 * `ownErrors` only the first); without it the program has the terminal.
 */
export function run(command, args, options = {}) {
  const { env = {}, onLine, ownErrors = false, signals = false, cwd = root } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, PATH: searchPath(), ...env },
      stdio: onLine === undefined ? 'inherit' : ['ignore', 'pipe', ownErrors ? 'inherit' : 'pipe'],
    })
    const stop = signals ? forwardSignals(child) : () => undefined
    if (child.stdout !== null) lines(child.stdout, onLine)
    if (child.stderr !== null) lines(child.stderr, onLine)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      stop()
      resolve(code ?? 128 + (signalNumbers[signal] ?? 0))
    })
  })
}

/** As `run`, and gives all output too. */
export async function capture(command, args, options = {}) {
  const output = []
  const code = await run(command, args, { ...options, onLine: (line) => output.push(line) })
  return { code, output: output.join('\n') }
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }

/**
 * The terminal sends Ctrl-C to the whole process group, so the child has it already; this process
 * only must not die before the child has cleaned up. Other signals come to one process alone.
 */
function forwardSignals(child) {
  const handlers = new Map()
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
    const forward = () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    handlers.set(signal, forward)
    process.on(signal, forward)
  }
  return () => {
    for (const [signal, forward] of handlers) process.off(signal, forward)
  }
}

function lines(stream, onLine) {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()
    for (const line of parts) onLine(line)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}

/** Every file below `directory`, which may be absent. (`recursive` is younger than Node 18.0.) */
export function filesUnder(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(directory, entry.name)
    return entry.isDirectory() ? filesUnder(name) : [name]
  })
}

/**
 * SHA-256 over names and contents of `files` and over `more`; an absent file counts as such. Names
 * are the project's own: a copy that shares this one's packages finds them as they should be.
 */
export function hashOf(files, more = '') {
  const hash = createHash('sha256').update(more)
  for (const file of [...files].sort()) {
    hash.update(`\0${path.relative(root, file)}\0`)
    hash.update(existsSync(file) ? readFileSync(file) : 'absent')
  }
  return hash.digest('hex')
}

export const seconds = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`
