/** What is under way between the nodes of a script. */
import type { MemberId } from '../../src/base/ids.ts'
import type { Message, Session } from '../../src/core/raft/types.ts'
import type { Packet } from './raft-node.ts'

export const responses: ReadonlySet<Message['kind']> = new Set([
  'appendAccepted',
  'appendRejected',
  'newerTerm',
  'heartbeatResponse',
  'voteResponse',
  'preVoteResponse',
  'readResponse',
])

export class ScriptWire {
  #packets: Packet[] = []
  /** The session that each `from>to` last replicated under; scripts know of none. */
  readonly #sessions = new Map<string, Session>()

  transmit(packets: readonly Packet[]): void {
    for (const { message } of packets) {
      if (message === undefined || !('session' in message)) continue
      if (responses.has(message.kind)) continue
      this.#sessions.set(`${message.from}>${message.to}`, message.session)
    }
    this.#packets.push(...packets)
  }

  session(from: MemberId, to: MemberId): Session {
    return this.#sessions.get(`${from}>${to}`) ?? (0 as Session)
  }

  hasFor(to: MemberId): boolean {
    return this.#packets.some((packet) => packet.to === to)
  }

  /** Those to `to`, of one type if told, off the wire. What a node's own threads answer is never dropped. */
  take(to: MemberId, drop: boolean, type?: string): Packet[] {
    const isMeant = (packet: Packet): boolean =>
      packet.to === to &&
      !(drop && packet.isLocal) &&
      (type === undefined || packet.text.split(' ')[1] === type)
    const packets = this.#packets.filter(isMeant)
    this.#packets = this.#packets.filter((packet) => !isMeant(packet))
    return packets
  }
}
