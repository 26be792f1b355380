/** The agent's way to its machine's fencer: finds the one there is, or starts one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import net from 'node:net'
import { describeError, JangadaError } from '../base/errors.ts'
import type { FencerAnswer } from '../core/liveness/fencer.ts'
import { isBinary } from '../platform/assets.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Fencer } from '../ports/fencer.ts'
import { kernelMonotonicMs } from '../platform/clock.ts'
import { Lines, pidFile, readAnswer, writeOrder } from './fencer-messages.ts'

/** A fencer that does not answer in this time does not guard; the agent tries another. */
const answerMs = 1000
/** To be there after it was started, on a busy machine. */
const startMs = 5000
const lookMs = 20

interface Waiting {
  readonly resolve: (answer: FencerAnswer) => void
  readonly reject: (error: Error) => void
}

export class FencerClient implements Fencer {
  readonly #socketPath: string
  readonly #clock: Clock
  #connection: Promise<net.Socket> | undefined
  readonly #waiting = new Map<number, Waiting>()
  #number = 0
  /** The one that was started here, while it runs. */
  #child: ChildProcess | undefined
  /** The one there is does not answer. */
  #isMute = false

  constructor(socketPath: string, clock: Clock) {
    this.#socketPath = socketPath
    this.#clock = clock
  }

  async tell({ untilMs, guard, drop }: Parameters<Fencer['tell']>[0]): Promise<FencerAnswer> {
    const socket = await this.#connect()
    // The agent's clock begins with its process; the kernel's is every process's.
    const shiftMs = kernelMonotonicMs() - this.#clock.monotonicMs()
    const order = { untilMs: untilMs === undefined ? undefined : untilMs + shiftMs, guard, drop }
    this.#number += 1
    const number = this.#number
    const answered = new Promise<FencerAnswer>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
    })
    const late = this.#clock.after(answerMs, () => {
      this.#isMute = true
      socket.destroy(fencerDown('it does not answer'))
    })
    try {
      socket.write(writeOrder({ number, order }))
      return await answered
    } finally {
      late.cancel()
      this.#waiting.delete(number)
    }
  }

  #connect(): Promise<net.Socket> {
    this.#connection ??= this.#open().catch((error: unknown) => {
      this.#connection = undefined
      throw error
    })
    return this.#connection
  }

  async #open(): Promise<net.Socket> {
    if (this.#isMute) await this.#endMute()
    const found = await this.#dial().catch(() => undefined)
    if (found !== undefined) return this.#adopt(found)
    const deadlineMs = this.#clock.monotonicMs() + startMs
    for (;;) {
      this.#startOne()
      try {
        return this.#adopt(await this.#dial())
      } catch (error) {
        if (this.#clock.monotonicMs() >= deadlineMs) throw fencerDown(describeError(error))
        await sleep(this.#clock, lookMs)
      }
    }
  }

  /** It would stop, once it goes on, what the next one keeps. */
  async #endMute(): Promise<void> {
    this.#isMute = false
    try {
      const pid = Number(await readFile(pidFile(this.#socketPath), 'utf8'))
      const words = (await readFile(`/proc/${pid}/cmdline`, 'latin1')).split('\0')
      if (words.includes('fencer') && words.includes(this.#socketPath)) process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
    // Or a connection would still be taken there, by nobody.
    await rm(this.#socketPath, { force: true })
  }

  /** In a session of its own: neither a signal to the agent's group nor its end is one to it. */
  #startOne(): void {
    // On a busy machine it may come late: of two, the later one would know nothing of what the other guards.
    if (this.#child !== undefined) return
    const [, program = ''] = process.argv
    const args = [...(isBinary() ? [] : [program]), 'fencer', this.#socketPath]
    const child = spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: '/' })
    const forget = (): void => {
      if (this.#child === child) this.#child = undefined
    }
    child.on('error', forget)
    child.once('exit', forget)
    child.unref()
    this.#child = child
  }

  #dial(): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.#socketPath)
      socket.once('error', reject)
      socket.once('connect', () => resolve(socket))
    })
  }

  #adopt(socket: net.Socket): net.Socket {
    const lines = new Lines()
    let cause = fencerDown('it has ended')
    // A daemon that ends does not wait for it.
    socket.unref()
    socket.on('data', (bytes) => {
      try {
        for (const line of lines.take(bytes)) {
          const answer = readAnswer(line)
          this.#waiting.get(answer.number)?.resolve(answer)
        }
      } catch {
        socket.destroy(fencerDown('it says what is no answer'))
      }
    })
    socket.on('error', (error) => {
      cause = fencerDown(describeError(error))
    })
    socket.on('close', () => {
      this.#connection = undefined
      for (const { reject } of this.#waiting.values()) reject(cause)
    })
    return socket
  }
}

const fencerDown = (why: string): JangadaError =>
  new JangadaError('JGD_FENCER_DOWN', `the fencer of this machine: ${why}`)
