/** Five real machines, clients on all of them, faults meanwhile: what the clients were told. */
import { setTimeout as pause } from 'node:timers/promises'
import { SeededRandom } from '../../src/base/random.ts'
import type { StatusReport } from '../../src/node/api/answers.ts'
import { program } from '../../src/tools/rack/cluster.ts'
import { statusThat, votersOf } from '../../src/tools/rack/demo/scene.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { askSocket } from '../../src/tools/rack/socket.ts'
import { Clients } from './clients.ts'
import { type FaultName, Faults } from './faults.ts'
import type { Operation } from './operation.ts'

export const hostCount = 5
const lookEveryMs = 250
/** Before the first fault: there is something to lose then. */
const undisturbedMs = 1000
const lookPatienceMs = 1000
/** A run ends then, even if a fault could not be brought about. */
const faultsMsMax = 120_000

export interface RunOptions {
  /** At least so long, and until each fault was there once. */
  readonly seconds: number
  readonly faults: readonly FaultName[]
  readonly clients: number
  readonly seed: number
  readonly say: (line: string) => void
}

export interface Run {
  readonly operations: readonly Operation[]
  /** Terms in which somebody was seen to lead, with the name of whom. */
  readonly leaders: ReadonlyMap<number, string>
  readonly faults: Readonly<Record<FaultName, number>>
  /** Requests that did not end well, by what was heard. */
  readonly failures: ReadonlyMap<string, number>
}

/** `rack` is a cluster of five already. */
export async function runHistory(rack: Rack, options: RunOptions): Promise<Run> {
  const { seconds, clients: count, seed, say } = options
  const random = new SeededRandom(seed)
  const sockets = await fiveVoters(rack)
  const watch = new LeaderWatch(sockets)
  await watch.look()
  const names = rack.spec.hosts.map(({ name }) => name)
  const leader = (): string => watch.last ?? random.pick(names)
  const faults = new Faults({ rack, names: options.faults, random: random.fork(), leader, say })
  const prefix = `history/${random.uint32().toString(36)}/`
  const clients = new Clients({ clients: count, sockets, random: random.fork(), prefix })
  clients.start()
  watch.start()
  const startMs = performance.now()
  const lastedMs = (): number => performance.now() - startMs
  try {
    await pause(undisturbedMs)
    const isLonger = (): boolean => !faults.areAllSeen && lastedMs() < faultsMsMax
    while (lastedMs() < seconds * 1000 || isLonger()) {
      await (options.faults.length > 0 ? faults.one() : pause(lookEveryMs))
    }
  } finally {
    await Promise.all([clients.stop(), watch.stop()])
  }
  const operations = await clients.stop()
  return { operations, leaders: watch.leaders, faults: faults.counts, failures: clients.failures }
}

/** Resolves when all of them vote. Returns the sockets of their API. */
async function fiveVoters(rack: Rack): Promise<string[]> {
  const [first = ''] = rack.spec.hosts.map(({ name }) => name)
  await rack.sh(first, [program, 'quorum', '--voters', String(hostCount)])
  await statusThat(rack, first, 'five voters', (seen) => votersOf(seen).length === hostCount)
  return Promise.all(
    rack.spec.hosts.map(async ({ name }) => {
      return `/proc/${await rack.initPid(name)}/root/run/jangada/jangada.sock`
    }),
  )
}

/** Asks every node again and again who leads, and in which term. */
class LeaderWatch {
  readonly #sockets: readonly string[]
  readonly leaders = new Map<number, string>()
  #running: Promise<void>[] = []
  #isStopped = false

  constructor(sockets: readonly string[]) {
    this.#sockets = sockets
  }

  /** Who leads in the highest term that was seen. */
  get last(): string | undefined {
    return this.leaders.get(Math.max(...this.leaders.keys()))
  }

  start(): void {
    this.#running = this.#sockets.map(async (socket) => {
      while (!this.#isStopped) {
        await this.#ask(socket)
        await pause(lookEveryMs)
      }
    })
  }

  async look(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => this.#ask(socket)))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#running)
  }

  async #ask(socket: string): Promise<void> {
    try {
      const asked = { method: 'GET', path: '/v1/status', timeoutMs: lookPatienceMs } as const
      const { term, leader } = JSON.parse(await askSocket(socket, asked)) as StatusReport
      if (typeof leader?.name === 'string') this.leaders.set(term, leader.name)
    } catch {
      // Killed, cut off or standing still: the others tell.
    }
  }
}
