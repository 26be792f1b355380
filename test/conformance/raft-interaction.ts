/** `interaction/`: whole groups, message by message, in etcd's own words. */
import { present } from '../../src/base/assert.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { noMember, type Index, type MemberId, type Term } from '../../src/base/ids.ts'
import { emptyConfig, isVoter, memberIds } from '../../src/core/raft/config.ts'
import { describeEntry, describeProgress, describeRole } from '../../src/core/raft/describe.ts'
import type {
  Entry,
  MemberChange,
  Message,
  ProposalId,
  RaftConfig,
} from '../../src/core/raft/types.ts'
import { raftOptions } from '../core/raft/options.ts'
import { changeOf, describeProto } from './raft-changes.ts'
import { stepsOf } from './raft-confchange.ts'
import { ScriptNode, type Ready } from './raft-node.ts'
import { type Level, levelOf, ScriptOutput } from './raft-output.ts'
import { describeWork, packetOf, Threads, type Work } from './raft-threads.ts'
import { responses, ScriptWire } from './raft-wire.ts'
import { argOf, flagOf, UnknownCommand, valueOf, type Command } from './script.ts'

const unlimited = Number.MAX_SAFE_INTEGER
const timers = { electionTimeoutMs: 3, loyaltyMs: 3, heartbeatMs: 1 }

/** A proposal the core refused, as the scripts print it. */
const dropped = 'raft proposal dropped'

export class InteractionSuite {
  readonly #nodes: ScriptNode[] = []
  readonly #wire = new ScriptWire()
  readonly #output = new ScriptOutput()
  /** For nodes in asynchronous mode. */
  readonly #threads = new Map<ScriptNode, Threads>()
  /** Changes proposed in etcd's first format, which only their printed name tells. */
  readonly #firstFormat = new WeakSet<MemberChange>()
  #proposing = ''
  #nextProposal = 1

  run(command: Command): string {
    const level = valueOf(command, 'log-level')
    return this.#output.of(
      () => this.#dispatch(command),
      level === undefined ? undefined : levelOf(level),
    )
  }

  #dispatch(command: Command): void {
    const handlers: Record<string, () => void> = {
      'log-level': () => {
        this.#output.level = levelOf(present(command.args[0], 'a level').key)
        this.#output.clear()
      },
      'add-nodes': () => this.#addNodes(command),
      campaign: () => this.#first(command).raft.step({ kind: 'campaign' }),
      propose: () => this.#propose(command),
      'propose-conf-change': () => this.#proposeChange(command),
      stabilize: () => this.#stabilize(this.#named(command)),
      'process-ready': () => this.#processReady(this.#named(command)),
      'process-append-thread': () =>
        void this.#processThread(this.#named(command), 'append', false),
      'process-apply-thread': () => void this.#processThread(this.#named(command), 'apply', false),
      'send-snapshot': () => this.#sendSnapshot(command),
      'deliver-msgs': () => this.#deliverMessages(command),
      'raft-state': () => this.#raftState(),
      'raft-log': () => this.#raftLog(this.#first(command)),
      status: () => this.#status(this.#first(command)),
      'tick-heartbeat': () => this.#first(command).tick(1),
      'tick-election': () => this.#first(command).tick(this.#first(command).electionTicks),
      'set-randomized-election-timeout': () => this.#setTimeout(command),
      'transfer-leadership': () => this.#transfer(command),
      'forget-leader': () => this.#first(command).raft.step({ kind: 'forgetLeader' }),
      'report-unreachable': () => this.#reportUnreachable(command),
      compact: () => this.#compact(command),
    }
    const handler = handlers[command.name]
    if (handler === undefined) throw new UnknownCommand(command.name)
    handler()
  }

  // ---- output

  #print(text: string): void {
    this.#output.print(text)
  }

  #trace(level: Level, line: string): void {
    const whole = line.replace(
      'ignoring conf change at',
      `ignoring conf change ${this.#proposing}at`,
    )
    this.#output.trace(level, whole)
  }

  readonly #entryText = (entry: Entry): string => {
    const text = describeEntry(entry)
    const first = entry.kind === 'config' && this.#firstFormat.has(entry.change)
    return first ? text.replace('EntryConfChangeV2', 'EntryConfChange') : text
  }

  // ---- nodes

  #node(id: number): ScriptNode {
    return present(this.#nodes[id - 1], `node ${id}`)
  }

  #first(command: Command): ScriptNode {
    return this.#node(Number(present(command.args[0], 'a node').key))
  }

  /** The nodes named by bare numbers; all when there are none. */
  #named(command: Command): readonly ScriptNode[] {
    const ids = command.args.filter((arg) => /^\d+$/.test(arg.key)).map((arg) => Number(arg.key))
    return ids.length === 0 ? this.#nodes : ids.map((id) => this.#node(id))
  }

  #addNodes(command: Command): void {
    const count = Number(present(command.args[0], 'a count').key)
    const list = (key: string): readonly MemberId[] =>
      (argOf(command, key) ?? []).map((id) => Number(id) as MemberId)
    const index = Number(valueOf(command, 'index') ?? 0) as Index
    const asynchronous = flagOf(command, 'async-storage-writes')
    for (let i = 0; i < count; i += 1) {
      const id = (this.#nodes.length + 1) as MemberId
      const config = { ...emptyConfig, voters: list('voters'), learners: list('learners') }
      const snapshot = { index, term: (index > 0 ? 1 : 0) as Term, config }
      const hardState = { term: 0 as Term, vote: 0 as MemberId, commit: 0 as Index }
      const restored = { hardState, snapshot, entries: [] }
      const options = { ...this.#options(command, id), applyBeforeDurable: !asynchronous }
      const node = new ScriptNode(options, restored)
      this.#nodes.push(node)
      if (asynchronous) this.#threads.set(node, new Threads(node, this.#entryText))
    }
  }

  #options(command: Command, id: MemberId): RaftConfig {
    const bound = (key: string): number => Number(valueOf(command, key) ?? unlimited)
    return raftOptions({
      id,
      ...timers,
      preVote: flagOf(command, 'prevote'),
      checkQuorum: flagOf(command, 'checkquorum'),
      readOnly: valueOf(command, 'read-only') === 'lease-based' ? 'leaseBased' : 'safe',
      stepDownOnRemoval: flagOf(command, 'step-down-on-removal'),
      disableMemberChangeValidation: flagOf(command, 'disable-conf-change-validation'),
      maxEntryBytes: unlimited,
      maxAppendBytes: unlimited,
      maxUncommittedBytes: unlimited,
      maxInflightBytes: unlimited,
      maxInflightMessages: bound('inflight'),
      maxApplyingBytes: bound('max-committed-size-per-ready'),
      trace: (level, line) => this.#trace(level, line),
    })
  }

  #setTimeout(command: Command): void {
    const node = this.#first(command)
    // Timers are drawn again when they change; so they change, and change back.
    node.raft.step({ kind: 'setTimers', ...timers, electionTimeoutMs: 4 })
    node.timeout.next = Number(valueOf(command, 'timeout'))
    node.raft.step({ kind: 'setTimers', ...timers })
  }

  #transfer(command: Command): void {
    const to = Number(valueOf(command, 'to')) as MemberId
    this.#node(Number(valueOf(command, 'from'))).raft.step({ kind: 'transfer', to })
  }

  #reportUnreachable(command: Command): void {
    const id = Number(present(command.args[1], 'who is unreachable').key) as MemberId
    this.#first(command).raft.step({ kind: 'unreachable', id })
  }

  /** Out of turn, whether or not the leader's account asks for it. */
  #sendSnapshot(command: Command): void {
    const { id: from, raft } = this.#first(command)
    const to = Number(present(command.args[1], 'an addressee').key) as MemberId
    const { term } = raft.status()
    const { snapshot } = raft
    const session = this.#wire.session(from, to)
    const message = { kind: 'snapshot', from, to, term, session, snapshot } as const
    const packet = packetOf(message, this.#entryText)
    this.#print(packet.text)
    this.#wire.transmit([packet])
  }

  // ---- proposals

  #proposalId(): ProposalId {
    this.#nextProposal += 1
    return this.#nextProposal as ProposalId
  }

  #propose(command: Command): void {
    this.#proposeData(this.#first(command), command.args[1]?.key ?? '')
  }

  #proposeData(node: ScriptNode, word: string): void {
    const data = utf8(word)
    const entry = { kind: 'normal', index: 0 as Index, term: 0 as Term, data } as const
    if (this.#forwarded(node, entry, (to) => this.#proposeData(to, word))) return
    if (!this.#entersLog(node, data)) this.#print(dropped)
  }

  #entersLog(node: ScriptNode, data: Uint8Array): boolean {
    const before = node.raft.status().lastIndex
    node.raft.step({ kind: 'propose', proposals: [{ proposalId: this.#proposalId(), data }] })
    return node.raft.status().lastIndex > before
  }

  #proposeChange(command: Command): void {
    const first = flagOf(command, 'v1')
    const steps = stepsOf(command.input)
    const transition = valueOf(command, 'transition') ?? 'auto'
    const change = changeOf(steps, first, transition)
    if (first) this.#firstFormat.add(change)
    this.#enterChange(this.#first(command), change, `${describeProto(steps, transition)} `)
  }

  #enterChange(node: ScriptNode, change: MemberChange, proto: string): void {
    const entry = { kind: 'config', index: 0 as Index, term: 0 as Term, change } as const
    if (this.#forwarded(node, entry, (to) => this.#enterChange(to, change, proto))) return
    this.#proposing = proto
    const before = node.raft.status().lastIndex
    node.raft.step({ kind: 'changeMembers', proposalId: this.#proposalId(), change })
    if (node.raft.status().lastIndex > before) return
    // Where our core refuses a change, etcd's puts an empty entry in its place.
    if (!this.#entersLog(node, utf8(''))) this.#print(dropped)
  }

  /**
   * In etcd a follower's core sends proposals on to the leader; here that is the driver's
   * business, and so the harness's. `propose` is what the node that gets it does with it.
   */
  #forwarded(node: ScriptNode, entry: Entry, propose: (to: ScriptNode) => void): boolean {
    const { role, leader } = node.raft.status()
    if (role !== 'follower' || leader === noMember) return false
    const text = `${node.id}->${leader} MsgProp Term:0 Log:0/0 Entries:[${this.#entryText(entry)}]`
    const arrive = (): undefined => {
      propose(this.#node(leader))
    }
    node.forwarded.push({ to: leader, text, message: undefined, isLocal: false, arrive })
    return true
  }

  // ---- batches and messages

  #processReady(nodes: readonly ScriptNode[]): void {
    for (const node of nodes) {
      const process = (): void => {
        if (!this.#processOne(node)) this.#print('<empty Ready>')
      }
      if (nodes.length > 1) this.#output.section(`> ${node.id} handling Ready`, process)
      else process()
    }
  }

  /** False when there was nothing to do. `title` is printed before, when there was. */
  #processOne(node: ScriptNode, title?: string): boolean {
    const ready = node.takeReady()
    if (ready.empty && node.forwarded.length === 0) return false
    const process = (): void => {
      const threads = this.#threads.get(node)
      if (threads === undefined) this.#inStep(node, ready)
      else this.#threaded(node, threads, ready)
    }
    if (title === undefined) process()
    else this.#output.section(title, process)
    return true
  }

  #inStep(node: ScriptNode, ready: Ready): void {
    const packets = [
      ...node.forwarded.splice(0),
      ...ready.messages.map((message) => packetOf(message, this.#entryText)),
    ]
    const texts = packets.map(({ text }) => text)
    this.#print(ready.describe(node.hardState, this.#entryText, texts))
    this.#wire.transmit(packets)
    node.carryOut(ready)
  }

  #threaded(node: ScriptNode, threads: Threads, ready: Ready): void {
    const packets = [
      ...node.forwarded.splice(0),
      ...ready.sent.map((message) => packetOf(message, this.#entryText)),
    ]
    const texts = [...packets.map(({ text }) => text), ...threads.take(ready).map(describeWork)]
    this.#print(ready.describe(node.handedOut, this.#entryText, texts))
    if (ready.append?.hardState !== undefined) node.handedOut = ready.append.hardState
    this.#wire.transmit(packets)
  }

  /** One piece of work of a thread; with `all`, everything there is. */
  #processThread(nodes: readonly ScriptNode[], thread: 'append' | 'apply', all: boolean): boolean {
    let moved = false
    for (const node of nodes) {
      const threads = this.#threads.get(node)
      const queue = (thread === 'append' ? threads?.appends : threads?.applies) ?? []
      if (all && queue.length === 0) continue
      moved = true
      const process = (): void => {
        const works = all ? queue.length : 1
        for (let done = 0; done < works; done += 1) this.#processWork(queue.shift(), thread)
      }
      if (!all && nodes.length === 1) process()
      else this.#output.section(`> ${node.id} processing ${thread} thread`, process)
    }
    return moved
  }

  #processWork(work: Work | undefined, thread: 'append' | 'apply'): void {
    if (work === undefined) {
      this.#print(`no ${thread} work to perform`)
      return
    }
    this.#print('Processing:')
    this.#print(work.text)
    work.perform()
    this.#print('Responses:')
    for (const answer of work.answers) this.#print(answer.text)
    this.#wire.transmit(work.answers)
  }

  #stabilize(nodes: readonly ScriptNode[]): void {
    for (let moved = true; moved;) {
      moved = false
      for (const node of nodes) {
        if (this.#processOne(node, `> ${node.id} handling Ready`)) moved = true
      }
      for (const node of nodes) {
        if (!this.#wire.hasFor(node.id)) continue
        this.#output.section(`> ${node.id} receiving messages`, () => this.#deliver(node.id, false))
        moved = true
      }
      if (this.#processThread(nodes, 'append', true)) moved = true
      if (this.#processThread(nodes, 'apply', true)) moved = true
    }
  }

  /** Recipients in the order they are named, `drop`ped ones among them. */
  #deliverMessages(command: Command): void {
    const type = valueOf(command, 'type')
    const recipients = command.args.flatMap(({ key, values }) => {
      if (key === 'drop') return values.map((id) => ({ id: Number(id), drop: true }))
      return key === 'type' ? [] : [{ id: Number(key), drop: false }]
    })
    let delivered = 0
    for (const { id, drop } of recipients) {
      if (!Number.isSafeInteger(id)) throw new UnknownCommand(`deliver-msgs to ${id}`)
      delivered += this.#deliver(id as MemberId, drop, type)
    }
    if (delivered === 0) this.#print('no messages')
  }

  /** How many there were. */
  #deliver(to: MemberId, drop: boolean, type?: string): number {
    const packets = this.#wire.take(to, drop, type)
    for (const { text, message, arrive } of packets) {
      this.#print(drop ? `dropped: ${text}` : text)
      if (drop) continue
      if (message !== undefined) this.#step(this.#node(to), message)
      const line = arrive?.()
      if (line !== undefined) this.#trace('info', line)
    }
    return packets.length
  }

  #step(node: ScriptNode, message: Message): void {
    const known = memberIds(node.raft.status().config).includes(message.from)
    if (responses.has(message.kind) && !known) {
      this.#print('raft: cannot step as peer not found')
      return
    }
    node.raft.step({ kind: 'receive', message, nowMs: node.nowMs })
  }

  // ---- what is to be seen

  #raftState(): void {
    for (const { raft } of this.#nodes) {
      const { id, role, config, term, leader } = raft.status()
      const voter = isVoter(config, id) ? '(Voter)' : '(Non-Voter)'
      this.#print(`${id}: ${describeRole(role)} ${voter} Term:${term} Lead:${leader}`)
    }
  }

  #status(node: ScriptNode): void {
    for (const account of node.raft.status().progress) {
      this.#print(`${account.id}: ${describeProgress(account)}`)
    }
  }

  #raftLog({ entries, firstIndex }: ScriptNode): void {
    for (const entry of entries) this.#print(this.#entryText(entry))
    if (entries.length > 0) return
    this.#print(`log is empty: first index=${firstIndex}, last index=${firstIndex - 1}`)
  }

  #compact(command: Command): void {
    const node = this.#first(command)
    node.compact(Number(present(command.args[1], 'an index').key) as Index)
    this.#raftLog(node)
  }
}
