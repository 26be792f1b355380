/** What must hold in every history. Each has a file of its own beside this one. */
import type { MemberStore } from '../../../src/node/member/member-store.ts'
import type { EventBatch } from '../../../src/core/store/types.ts'
import type { ContainerStop } from '../engine-connection.ts'
import type { SimulatedMachine } from '../machine.ts'
import type { LogLook } from '../raft-logs.ts'
import type { World } from '../world.ts'

export interface Invariant {
  readonly name: string
  /** After an event by which `member` came, took office, left it, or applied something. */
  member?(machine: SimulatedMachine, member: MemberStore): void
  /** What is new in a member's log, at the same events. */
  log?(look: LogLook): void
  /** A revision that some member is the first to apply. */
  revision?(batch: EventBatch): void
  /** An agent told its engine to end this container, which ran. */
  containerStopped?(stop: ContainerStop & { readonly machine: SimulatedMachine }): void
  /** After every event. */
  always?(): void
  /** Everything is healed and quiet. */
  atEnd?(): void
}

export type MakeInvariant = (world: World) => Invariant

export class Violation extends Error {
  override readonly name = 'Violation'

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`)
  }
}

/** Throws a violation of `invariant` unless `condition` holds. */
export function holds(condition: boolean, invariant: string, what: string): asserts condition {
  if (!condition) throw new Violation(invariant, what)
}
