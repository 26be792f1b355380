/**
 * `jangada fencer SOCKET`: the fencer of a machine. It listens for its agent, holds one deadline, and
 * ends the containers that it guards when that has passed (`core/liveness/fencer.ts`). It outlives
 * its agent, loads next to nothing, waits for no disk and writes nothing.
 */
import { rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { FencerState } from '../core/liveness/fencer.ts'
import { ContainerKiller } from '../platform/container-killer.ts'
import { kernelMonotonicMs, suspendedMs, systemClock } from '../platform/clock.ts'
import type { Timer } from '../ports/clock.ts'
import { Lines, pidFile, readOrder } from './fencer-messages.ts'

/** With nothing to guard for so long it ends: the agent starts another when there is. */
const idleMs = 60_000
/** Suspended machines are noticed within this time of their return. */
const longestWaitMs = 250
/** What two clocks may seem to differ by, read one after the other, and each in its own steps. */
const standStillMsMin = 100
const connectionsMax = 8

export function runFencer(socketPath: string): Promise<void> {
  const fencer = new FencerProcess()
  return fencer.serve(socketPath)
}

class FencerProcess {
  readonly #state = new FencerState()
  readonly #killer = new ContainerKiller()
  readonly #clock = systemClock()
  #timer: Timer | undefined
  #suspendedMs = suspendedMs()
  #busyAtMs = kernelMonotonicMs()
  #end: () => void = () => undefined

  async serve(socketPath: string): Promise<void> {
    // Whoever starts a fencer has found nobody to answer there.
    rmSync(socketPath, { force: true })
    const server = net.createServer((socket) => this.#hear(socket))
    server.maxConnections = connectionsMax
    const previous = process.umask(0o077)
    server.listen(socketPath)
    process.umask(previous)
    writeFileSync(pidFile(socketPath), String(process.pid))
    // No signal of a terminal or a supervisor ends it: its agent's end is what it is for.
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined)
    this.#act()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      this.#end = resolve
    })
    rmSync(socketPath, { force: true })
    process.exit(0)
  }

  #hear(socket: net.Socket): void {
    const lines = new Lines()
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      try {
        for (const line of lines.take(bytes)) socket.write(this.#answer(line))
      } catch {
        socket.destroy()
      }
    })
  }

  #answer(line: string): string {
    const { number, order } = readOrder(line)
    this.#noteStandstill()
    const answer = this.#state.take(order, kernelMonotonicMs())
    this.#act()
    return `${JSON.stringify({ number, ...answer })}\n`
  }

  #act(): void {
    this.#noteStandstill()
    const nowMs = kernelMonotonicMs()
    const { terminate, kill } = this.#state.act(nowMs)
    if (kill.length > 0) this.#killer.kill(kill)
    if (terminate.length > 0) this.#killer.terminate(terminate)
    const nextMs = this.#state.nextMs(nowMs)
    if (nextMs !== undefined) this.#busyAtMs = nowMs
    else if (nowMs - this.#busyAtMs > idleMs) this.#end()
    const waitMs = Math.min(longestWaitMs, (nextMs ?? Infinity) - kernelMonotonicMs())
    this.#timer?.cancel()
    this.#timer = this.#clock.after(Math.max(1, waitMs), () => this.#act())
  }

  #noteStandstill(): void {
    const nowMs = suspendedMs()
    const stoodStillMs = nowMs - this.#suspendedMs
    if (stoodStillMs < standStillMsMin) return
    this.#suspendedMs = nowMs
    this.#state.stoodStill(stoodStillMs)
  }
}
