/** What is answered to those who run the cluster: settings, machines that leave, units that move. */
import type { MachineRecord } from '../../core/records/schemas.ts'
import type { Amounts, Listing } from './answers.ts'

interface Named {
  readonly id: string
  readonly name: string
}

export interface RebalanceAnswer extends Listing {
  readonly moves: readonly {
    readonly unit: string
    readonly from: Named
    readonly to: Named
    readonly why: string
  }[]
}

export interface MoveAnswer {
  readonly unit: string
  readonly from: Named
  /** Where no other place is found until then, it stays. */
  readonly untilMs: number
  /** The same from now on, for whoever has another clock. */
  readonly forMs: number
}

export interface UsageRow {
  readonly unit: string
  readonly machine: string
  readonly machineName: string
  readonly used: Amounts
  readonly reserved: Amounts
}

export interface UsageAnswer extends Listing {
  readonly units: readonly UsageRow[]
  /** Names of machines that did not answer. */
  readonly silent: readonly string[]
}

/** How far a machine is on its way out. */
export interface LeaveAnswer {
  readonly id: string
  readonly name: string
  readonly status: MachineRecord['status']
  /** Still placed there, or known to its engine. */
  readonly units: number
  readonly isMember: boolean
  readonly isDone: boolean
}

export interface SettingsAnswer {
  readonly settings: readonly {
    readonly name: string
    readonly value: string
    readonly isDefault: boolean
    /** What may be written, for people. */
    readonly values: string
    readonly about: string
  }[]
}
