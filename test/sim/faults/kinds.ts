/** Every kind of fault there is. Each is counted when it happens, and none may be missing in a run. */
import type { SimulatedMachine } from '../machine.ts'
import type { FaultTools } from './tools.ts'
import { clusterFaults } from './cluster-faults.ts'
import { diskFaults } from './disk-faults.ts'
import { machineFaults } from './machine-faults.ts'
import { networkFaults } from './network-faults.ts'

/** Makes it happen, to `machine` if it is one machine's; false when it cannot happen now. */
export type MakeFault = (tools: FaultTools, machine: SimulatedMachine) => boolean

export const faults = {
  ...machineFaults,
  ...diskFaults,
  ...networkFaults,
  ...clusterFaults,
} as const satisfies Record<string, MakeFault>

export type FaultKind = keyof typeof faults
export const faultKinds = Object.keys(faults) as readonly FaultKind[]
