/**
 * What faults and time bring about, counted: a run of seeds in which one of these never happened
 * has proved less than it seems.
 */
import type { Member } from '../../src/node/member/member.ts'
import type { World } from './world.ts'

export const effectKinds = [
  'restart',
  'torn write',
  'lost write',
  'write refused',
  'lost packet',
  'repeated message',
  'overtaken message',
  'leader elected',
  'member begun',
  'snapshot written',
  'snapshot installed',
  'lease granted',
  'lease kept',
  'lease expired',
  'lease revoked',
] as const
export type EffectKind = (typeof effectKinds)[number]

export class Effects {
  readonly #counts = new Map<EffectKind, number>()
  readonly #terms = new Set<number>()
  readonly #members = new Set<number>()

  count(kind: EffectKind, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by)
  }

  /** A member at work. */
  saw({ id, leadership }: Member): void {
    if (leadership.role === 'leader') this.#terms.add(leadership.term)
    this.#members.add(id)
  }

  /** All of them, when the seed is over. */
  total({ machines, network }: World, leases: LeaseCounts): Record<EffectKind, number> {
    const sum = (of: (machine: (typeof machines)[number]) => number): number =>
      machines.reduce((total, machine) => total + of(machine), 0)
    const own = (kind: EffectKind): number => this.#counts.get(kind) ?? 0
    return {
      restart: sum(({ starts }) => Math.max(0, starts - 1)),
      'torn write': sum(({ disk }) => disk.counts.tornWrites),
      'lost write': sum(({ disk }) => disk.counts.lostWrites),
      'write refused': sum(({ disk }) => disk.counts.fullDisk),
      'lost packet': network.counts.lost,
      'repeated message': network.counts.repeated,
      'overtaken message': network.counts.overtaken,
      'leader elected': this.#terms.size,
      'member begun': this.#members.size,
      'snapshot written': own('snapshot written'),
      'snapshot installed': own('snapshot installed'),
      'lease granted': leases.granted,
      'lease kept': leases.kept,
      'lease expired': leases.expired,
      'lease revoked': leases.revoked,
    }
  }
}

interface LeaseCounts {
  readonly granted: number
  readonly kept: number
  readonly expired: number
  readonly revoked: number
}
