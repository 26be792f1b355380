/** `one-member.ts` as seen from outside: starts it, hears it, ends it. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { OneMemberOptions, Told } from './one-member.ts'

const program = path.join(import.meta.dirname, 'one-member.ts')
const sizes = { segmentBytes: 1024 * 1024, entriesBetweenSnapshots: 2000 }

export class MemberProcess {
  readonly told: Told[] = []
  readonly exited: Promise<unknown>
  /** The highest number that each client was acknowledged. */
  readonly acknowledged = new Map<string, number>()
  acknowledgements = 0
  #child: ChildProcessByStdio<Writable, Readable, Readable>
  #isLimited = false
  #wake: () => void = () => undefined

  constructor(directory: string, options: Partial<OneMemberOptions> = {}) {
    const all = { directory, create: false, clients: 0, valueBytes: 256, sizes, ...options }
    this.#child = spawn(process.execPath, [program, JSON.stringify(all)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.exited = once(this.#child, 'close')
    this.#child.stdin.on('error', () => undefined)
    // What tests bring into every process opens files of its own, and complains.
    this.#child.stderr.on('data', (text: Uint8Array) => {
      if (!this.#isLimited) process.stderr.write(text)
    })
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line))
    void this.exited.then(() => this.#wake())
  }

  #hear(line: string): void {
    const told = JSON.parse(line) as Told
    if (told.kind === 'acknowledged') {
      for (const [client, n] of told.writes) this.acknowledged.set(client, n)
      this.acknowledgements += told.writes.length
    } else this.told.push(told)
    this.#wake()
  }

  /** Resolves once `holds`, and rejects when the process ends without it. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the member ended; it told ${JSON.stringify(this.told)}`)
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The first thing of this kind that it tells. */
  async first<K extends Told['kind']>(kind: K): Promise<Extract<Told, { kind: K }>> {
    const find = (): Told | undefined => this.told.find((one) => one.kind === kind)
    await this.until(() => find() !== undefined)
    return find() as Extract<Told, { kind: K }>
  }

  /** What it logged as a warning or an error. */
  get logged(): readonly Extract<Told, { kind: 'log' }>[] {
    return this.told.filter((one) => one.kind === 'log')
  }

  /** From now on no file is opened above this number of open ones. */
  limitFiles(most: number): void {
    this.#isLimited = true
    execFileSync('prlimit', [`--pid=${this.#child.pid}`, `--nofile=${most}`])
  }

  async writes(count: number): Promise<void> {
    const until = this.acknowledgements + count
    await this.until(() => this.acknowledgements >= until)
  }

  async stop(): Promise<void> {
    this.#child.stdin.write('stop\n')
    await this.exited
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }
}
