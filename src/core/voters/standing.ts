/** Where each member and machine stands in one view: who lives, who is gone, who could come. */
import type { MachineId, MemberId } from '../../base/ids.ts'
import {
  learnerReplaceAfterMs,
  type VoterMachine,
  type VoterMember,
  voterReplaceAfterMs,
  type VotersView,
} from './view.ts'

export class Standing {
  readonly view: VotersView
  readonly #machines: ReadonlyMap<MachineId, VoterMachine>
  readonly #members: ReadonlyMap<MemberId, VoterMember>

  constructor(view: VotersView) {
    this.view = view
    this.#machines = new Map(view.machines.map((machine) => [machine.id, machine]))
    this.#members = new Map(view.members.map((member) => [member.id, member]))
  }

  member(id: MemberId): VoterMember | undefined {
    return this.#members.get(id)
  }

  machineOf(id: MemberId): VoterMachine | undefined {
    const machine = this.#members.get(id)?.machine
    return machine === undefined ? undefined : this.#machines.get(machine)
  }

  nameOf(id: MemberId): string {
    return this.machineOf(id)?.name ?? `member ${id}`
  }

  namesOf(ids: readonly MemberId[]): string {
    return ids.map((id) => this.nameOf(id)).join(' and ')
  }

  /** Its machine answers and still runs it; the leader answers to itself. */
  lives(id: MemberId): boolean {
    return id === this.view.self || (this.machineOf(id)?.status === 'ready' && !this.wasWiped(id))
  }

  /** The machine lives and says that it does not run this member: its disk was lost. */
  wasWiped(id: MemberId): boolean {
    const machine = this.machineOf(id)
    return machine?.status === 'ready' && machine.runs !== undefined && machine.runs !== id
  }

  /** It will not come back as this member. */
  isGone(id: MemberId): boolean {
    if (id === this.view.self) return false
    const machine = this.machineOf(id)
    return machine === undefined || machine.status === 'left' || this.wasWiped(id)
  }

  /** Somebody asked that its machine votes no more. */
  isUnwanted(id: MemberId): boolean {
    return this.machineOf(id)?.wish === 'client'
  }

  /** A voter silent for longer than a restart takes; another may take its place. */
  isSilent(id: MemberId): boolean {
    return id !== this.view.self && !this.isGone(id) && this.#lostForMs(id) >= voterReplaceAfterMs
  }

  /** A learner that is not worth waiting for. */
  isSpent(id: MemberId): boolean {
    if (this.isGone(id) || this.isUnwanted(id)) return true
    const isStalled = this.#members.get(id)?.stalled === true
    return isStalled || this.#lostForMs(id) >= learnerReplaceAfterMs
  }

  #lostForMs(id: MemberId): number {
    const machine = this.machineOf(id)
    return machine?.status === 'lost' ? this.view.nowMs - machine.sinceMs : 0
  }

  /** Learners that may be voters one day. */
  get learners(): MemberId[] {
    return this.view.learners.filter((id) => this.lives(id) && !this.isSpent(id))
  }

  isReady(id: MemberId): boolean {
    return this.lives(id) && this.#members.get(id)?.caughtUp === true
  }

  /** Machines without a member on which one could begin now. */
  get candidates(): VoterMachine[] {
    return this.hopefuls.filter(({ status, avoided }) => status === 'ready' && !avoided)
  }

  /**
   * Those, and the machines that may be candidates soon: no vote is given up because a machine
   * that could take it is being restarted.
   */
  get hopefuls(): VoterMachine[] {
    const taken = new Set(
      this.view.members.filter(({ id }) => !this.wasWiped(id)).map(({ machine }) => machine),
    )
    return this.view.machines.filter(({ id, status, sinceMs, eligible, wish }) => {
      if (!eligible || wish === 'client' || taken.has(id) || status === 'left') return false
      return status === 'ready' || this.view.nowMs - sinceMs < voterReplaceAfterMs
    })
  }
}

/**
 * How far a set of voters is from what it should be, the gravest first: machines that people want
 * to vote and that do not; votes kept in memory; votes that one failure takes together.
 */
export type Cost = readonly [unmet: number, volatile: number, together: number]

export function costOf(voters: readonly VoterMachine[], all: readonly VoterMachine[]): Cost {
  const voting = new Set(voters.map(({ id }) => id))
  const unmet = all.filter(({ id, wish }) => wish === 'voter' && !voting.has(id)).length
  const volatile = voters.filter(({ durable }) => !durable).length
  const domains = Map.groupBy(voters, ({ domain }) => domain)
  const together = [...domains.values()].reduce((sum, { length }) => sum + length * length, 0)
  return [unmet, volatile, together]
}

export function compareCosts(a: Cost, b: Cost): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}
