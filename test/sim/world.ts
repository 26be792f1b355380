/** A whole cluster in one process: time, network, machines, and what watches over them. */
import { toHex } from '../../src/base/bytes.ts'
import { machineId, type MemberId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { clusterSettings, members } from '../../src/core/records/keyspace.ts'
import { writeIdentity, writePeers } from '../../src/node/enrol/identity-files.ts'
import { createCluster } from '../../src/node/enrol/init.ts'
import { createToken } from '../../src/node/enrol/tokens.ts'
import type { MemberStore } from '../../src/node/member/member-store.ts'
import { createFirstMember } from '../../src/node/member/seat.ts'
import { SimulatedClock, SimulatedTime } from './clock.ts'
import { Committed } from './committed.ts'
import { simulatedCrypto } from './crypto.ts'
import { seededEntropy } from './entropy.ts'
import { Effects } from './effects.ts'
import type { Invariant, MakeInvariant } from './invariants/invariant.ts'
import { describeFields, type MachineSurroundings, SimulatedMachine } from './machine.ts'
import { RaftLogs } from './raft-logs.ts'
import { SimulatedNetwork } from './network.ts'
import { peerPort } from './process.ts'
import { type Shape, shapeOf, type VoterTarget } from './shape.ts'
import { SimulatedSwitchboard } from './streams.ts'
import { Timeline } from './timeline.ts'

const tokenUses = 1000
const tokenLifetimeMs = 30 * 86_400_000
/** Clocks of good machines run apart by less than this; the product allows ten times as much. */
const clockErrorMax = 0.001
/** As many addresses as a person gives: who joins asks one of them a time, ever more rarely. */
const doorsMax = 3
const settleLimitMs = 20_000
/** Machines that join all at once are let in one after another, and those refused wait to ask. */
const settleLimitMsPerMachine = 1000

export interface WorldOptions {
  readonly seed: number
  readonly invariants: readonly MakeInvariant[]
  /** By the seed, if it is not told. */
  readonly shape?: Shape
  /** Shows each line of the timeline, and debug lines too. */
  readonly onLine?: (line: string) => void
  /** `runUntil` throws `Stopped` once it is this time. */
  readonly untilMs?: number
}

/** The time that somebody wanted to look at has come. */
export class Stopped extends Error {
  override readonly name = 'Stopped'
}

interface Seen {
  readonly member: MemberStore
  readonly leadership: unknown
  readonly appliedIndex: number
  readonly store: unknown
}

export class World {
  readonly seed: number
  readonly random: SeededRandom
  readonly time: SimulatedTime
  readonly network: SimulatedNetwork
  readonly timeline: Timeline
  readonly committed = new Committed()
  readonly logs = new RaftLogs()
  readonly effects = new Effects()
  readonly machines: readonly SimulatedMachine[]
  readonly shape: Shape
  readonly invariants: readonly Invariant[]
  /** Those that look after every event. */
  readonly #watchful: readonly Invariant[]
  readonly #crypto: MachineSurroundings['crypto']
  readonly #seen = new Map<SimulatedMachine, Seen>()
  readonly #isVerbose: boolean
  readonly #untilMs: number
  #token = ''
  /** Members whose processes ended in the event under way, as they were then. */
  #dead: { readonly machine: SimulatedMachine; readonly member: MemberStore }[] = []
  #stops: Parameters<MachineSurroundings['onContainerStop']>[0][] = []
  #failure: { readonly reason: unknown } | undefined
  events = 0
  /** Processes that ever opened their API's door. */
  served = 0

  constructor({ seed, invariants, shape, onLine, untilMs = Infinity }: WorldOptions) {
    this.#untilMs = untilMs
    this.seed = seed
    this.random = new SeededRandom(seed)
    this.time = new SimulatedTime(this.random.fork())
    this.network = new SimulatedNetwork(this.time, this.random.fork())
    this.timeline = new Timeline(() => this.time.nowMs, onLine)
    this.#isVerbose = onLine !== undefined
    this.#crypto = simulatedCrypto(this.random.fork())
    this.shape = shape ?? shapeOf(this.random.fork())
    const board = new SimulatedSwitchboard(this.network)
    this.machines = Array.from({ length: this.shape.machines }, (_, at) =>
      this.#makeMachine(at, board),
    )
    this.invariants = invariants.map((make) => make(this))
    this.#watchful = this.invariants.filter((one) => 'always' in one)
    this.committed.onRevision((batch) => {
      for (const invariant of this.invariants) invariant.revision?.(batch)
    })
  }

  /** Something that nobody handled came out of a machine: the seed ends with it. */
  failWith(reason: unknown): void {
    this.#failure ??= { reason }
  }

  /** How many voters the cluster is to hold, as the records say. */
  get voters(): VoterTarget {
    const item = this.committed.get(clusterSettings.key('cluster'))
    const target = item === undefined ? undefined : clusterSettings.read(item)?.value.voters
    return target === undefined || target === 1 ? this.shape.voters : target
  }

  machineNamed(name: string): SimulatedMachine | undefined {
    return this.machines.find((machine) => machine.name === name)
  }

  /** The member that leads with the highest term and is in office, as nobody in the world knows. */
  get leader(): { machine: SimulatedMachine; member: MemberStore } | undefined {
    const leading = this.machines.flatMap((machine) => {
      const core = machine.process?.core
      const member = core?.member
      if (core?.office?.judge === undefined || member === undefined) return []
      return [{ machine, member }]
    })
    const termOf = ({ member }: { member: MemberStore }): number => member.member.leadership.term
    return leading.toSorted((a, b) => termOf(b) - termOf(a))[0]
  }

  /** The machine whose process runs this member. */
  machineOf(id: MemberId): SimulatedMachine | undefined {
    return this.machines.find((machine) => machine.process?.core?.memberId === id)
  }

  /** Makes the cluster on the first machine, lets the others join, and waits for its voters. */
  async begin(): Promise<boolean> {
    const [first] = this.machines as [SimulatedMachine]
    await this.#settled(this.#initialise(first))
    first.start()
    if (!(await this.runUntil(() => this.leader !== undefined, settleLimitMs))) return false
    const core = first.process?.core
    if (core === undefined) return false
    const authority = await this.#settled(core.enrol.secrets.requireAuthority())
    const { text } = await this.#settled(
      createToken(core.enrol, authority.certificatePem, {
        scope: 'machine',
        roleCeiling: 'voter',
        uses: tokenUses,
        lifetimeMs: tokenLifetimeMs,
      }),
    )
    this.#token = text
    for (const machine of this.machines.slice(1)) machine.start()
    const limitMs = settleLimitMs + this.machines.length * settleLimitMsPerMachine
    return this.runUntil(() => this.#isComplete(), limitMs)
  }

  /** Runs everything for `ms` of true time, watched over. */
  async run(ms: number): Promise<void> {
    const endMs = this.time.nowMs + ms
    await this.runUntil(() => this.time.nowMs >= endMs, ms)
  }

  /** Until `condition`, which is asked after each event; false when `limitMs` passed before. */
  runUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
    return this.time.runUntil(() => {
      this.#observe()
      return condition()
    }, limitMs)
  }

  #isComplete(): boolean {
    const config = this.leader?.member.member.status().config
    const ready = this.committed.machines.values.filter(({ status }) => status === 'ready')
    return (
      config?.voters.length === this.voters &&
      config.outgoing.length === 0 &&
      ready.length === this.machines.length
    )
  }

  #observe(): void {
    this.events += 1
    if (this.time.nowMs >= this.#untilMs) throw new Stopped()
    const dead = this.#dead
    this.#dead = []
    for (const { machine, member } of dead) this.#look(machine, member)
    for (const machine of this.machines) {
      const member = machine.process?.core?.member
      if (member !== undefined) this.#look(machine, member)
    }
    if (this.#stops.length > 0) this.#judgeStops()
    for (const invariant of this.#watchful) invariant.always?.()
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  /** Whatever has changed of it since the last look. */
  #look(machine: SimulatedMachine, member: MemberStore): void {
    const { leadership, store } = member.member
    const { appliedIndex } = store
    const seen = this.#seen.get(machine)
    const isSame =
      seen?.member === member &&
      seen.leadership === leadership &&
      seen.appliedIndex === appliedIndex
    if (isSame) return
    if (seen?.member === member && seen.store !== store) this.effects.count('snapshot installed')
    this.#seen.set(machine, { member, leadership, appliedIndex, store })
    this.effects.saw(member.member)
    const look = this.logs.look(member.member)
    for (const invariant of this.invariants) {
      invariant.member?.(machine, member)
      invariant.log?.(look)
    }
  }

  /**
   * A member may commit, tell a watch, stop a container and die in one event, before anyone else knows
   * of what it committed.
   */
  #noteDeath(machine: SimulatedMachine): void {
    const member = machine.process?.core?.member ?? this.#seen.get(machine)?.member
    if (member !== undefined) this.#dead.push({ machine, member })
  }

  #judgeStops(): void {
    const stops = this.#stops
    this.#stops = []
    for (const invariant of this.invariants) {
      for (const stop of stops) invariant.containerStopped?.(stop)
    }
  }

  #makeMachine(at: number, board: SimulatedSwitchboard): SimulatedMachine {
    const number = at + 1
    const random = this.random.fork()
    const spec = {
      id: machineId(`5171${number.toString().padStart(28, '0')}`),
      name: `m${number}`,
      host: `10.0.0.${number}`,
      metadata: { disk: at % 2 === 0 ? 'ssd' : 'hdd' },
      clockRate: 1 + (2 * random.fraction() - 1) * clockErrorMax,
    }
    return new SimulatedMachine(
      spec,
      {
        network: this.network,
        board,
        crypto: this.#crypto,
        memberSizes: this.shape.memberSizes,
        timeline: this.timeline,
        log: (machine) => (level, message, fields) => {
          if (message === 'snapshot written') this.effects.count('snapshot written')
          if (level === 'debug' && !this.#isVerbose) return
          this.timeline.note(machine.name, `${level}: ${message} ${describeFields(fields)}`)
        },
        machineAt: (host) => this.machines.find((machine) => machine.host === host),
        doors: (machine) =>
          this.machines
            .filter((each) => each !== machine)
            .slice(0, doorsMax)
            .map(({ host }) => host),
        joinToken: () => this.#token,
        onServing: () => {
          this.served += 1
        },
        onDeath: (dying) => this.#noteDeath(dying),
        // Judged after the event, when what the agent has just heard of is known here too.
        onContainerStop: (stop) => this.#stops.push(stop),
      },
      random,
    )
  }

  async #initialise(machine: SimulatedMachine): Promise<void> {
    const entropy = seededEntropy(this.random.fork())
    const clock = new SimulatedClock(this.time, this.random.fork())
    const { memberSizes } = this.shape
    const settings = { voters: this.shape.voters, admission: 'sticky', status: 'full' } as const
    const made = await createCluster(
      { crypto: this.#crypto, clock, entropy },
      {
        machineId: machine.id,
        facts: machine.facts(),
        settings: { ...settings, featureLevel: 1 },
      },
    )
    const disk = machine.disk.mount()
    const address = `${machine.host}:${peerPort}`
    const incarnation = toHex(entropy.bytes(16))
    const record = { v: 1, memberId: 1, machineId: machine.id, address, incarnation } as const
    const operations = [
      ...made.operations,
      members.put({ ...record, addedMs: clock.wallMs() }, '1'),
    ]
    await createFirstMember(disk, made.clusterId, incarnation, operations, memberSizes)
    await writePeers(disk, [{ machineId: machine.id, address }])
    await writeIdentity(disk, made.files)
  }

  /** Like `SimulatedTime.runUntilSettled`, watched over. */
  async #settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const mark = (): void => {
      isSettled = true
    }
    promise.then(mark, mark)
    await this.runUntil(() => isSettled, settleLimitMs)
    return promise
  }
}
