/** What is done to the five machines meanwhile: one thing at a time, mostly to whoever leads. */
import { setTimeout as pause } from 'node:timers/promises'
import type { SeededRandom } from '../../src/base/random.ts'
import { agentService } from '../../src/tools/rack/cluster.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'

export const faultNames = ['kill', 'partition', 'pause'] as const
export type FaultName = (typeof faultNames)[number]

const leaderShare = 0.7
const holdMsMin = 700
const holdMsMax = 2000
/** Between two faults: long enough that writes are taken again before the next one. */
const calmMs = 1200

export interface FaultsOptions {
  readonly rack: Rack
  readonly names: readonly FaultName[]
  readonly random: SeededRandom
  /** The name of the machine that was last seen to lead. */
  readonly leader: () => string
  readonly say: (line: string) => void
}

export class Faults {
  readonly #options: FaultsOptions
  readonly #hosts: readonly string[]
  readonly counts: Record<FaultName, number> = { kill: 0, partition: 0, pause: 0 }
  #waiting: FaultName[] = []

  constructor(options: FaultsOptions) {
    this.#options = options
    this.#hosts = options.rack.spec.hosts.map(({ name }) => name)
  }

  get areAllSeen(): boolean {
    return this.#options.names.every((name) => this.counts[name] > 0)
  }

  /** One fault, and its end; resolves after the calm that follows it. */
  async one(): Promise<void> {
    const { random, names } = this.#options
    if (this.#waiting.length === 0) this.#waiting = random.shuffle(names)
    const name = this.#waiting.pop()
    if (name !== undefined) {
      await this.#carryOut(name)
      this.counts[name] += 1
    }
    await pause(calmMs)
  }

  async #carryOut(name: FaultName): Promise<void> {
    const { rack, random, leader, say } = this.#options
    const isFirst = Object.values(this.counts).every((count) => count === 0)
    const isLeader = isFirst || random.chance(leaderShare)
    const victim = isLeader ? leader() : random.pick(this.#hosts)
    const holdMs = random.integer(holdMsMin, holdMsMax)
    switch (name) {
      case 'kill':
        say(`${victim} is killed`)
        // The host's init starts it again by itself.
        await rack.signalService(victim, agentService, 'KILL')
        await pause(holdMs)
        return
      case 'partition':
        await this.#cutOff(victim, holdMs)
        return
      case 'pause':
        say(`${victim} stands still for ${holdMs} ms`)
        await rack.freeze(victim)
        await pause(holdMs)
        await rack.thaw(victim)
    }
  }

  /** One or two of them from the others, in both directions or in one. */
  async #cutOff(victim: string, holdMs: number): Promise<void> {
    const { rack, random, say } = this.#options
    const others = random.shuffle(this.#hosts.filter((name) => name !== victim))
    const few = random.chance(0.3) ? [victim, ...others.splice(0, 1)] : [victim]
    const isOneWay = random.chance(0.3)
    const [from, to] = random.chance(0.5) ? [few, others] : [others, few]
    say(`${from.join(' ')} ${isOneWay ? '→' : '↔'} ${to.join(' ')} cut for ${holdMs} ms`)
    await rack.partition(from, to, isOneWay ? 'one-way' : 'both')
    await pause(holdMs)
    await rack.heal()
  }
}
