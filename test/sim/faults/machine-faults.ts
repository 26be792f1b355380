/** What happens to processes, power, engines and clocks. */
import type { SimulatedMachine } from '../machine.ts'
import { type FaultTools, secondMs } from './tools.ts'

const hourMs = 3_600_000
/** What the product promises to bear (DESIGN: fencing arithmetic), each clock by itself. */
const driftMax = 0.009

export const machineFaults = {
  'process crash': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (machine.process === undefined) return false
    tools.tell(machine, 'its process is killed')
    machine.crash()
    tools.later(5 * secondMs, () => machine.startIfStopped())
    return true
  },
  'power loss': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (!machine.hasPower) return false
    tools.tell(machine, 'loses power')
    machine.losePower()
    powerReturns(tools, machine)
    return true
  },
  'process pause': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (machine.process === undefined || machine.isPaused) return false
    tools.tell(machine, 'its process stands still')
    machine.freeze()
    tools.later(4 * secondMs, () => machine.thaw())
    return true
  },
  'engine down': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (!machine.hasPower) return false
    tools.tell(machine, 'its container engine goes down')
    machine.engine.crash()
    tools.later(6 * secondMs, () => {
      if (machine.hasPower) machine.engine.restart()
    })
    return true
  },
  'container killed': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    const { running } = machine.engine
    if (running.length === 0) return false
    const { id, name } = tools.random.pick(running)
    tools.tell(machine, `container ${name} is killed`)
    machine.engine.killContainer(id)
    return true
  },
  'clock step': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    const byMs = Math.round((2 * tools.random.fraction() - 1) * hourMs)
    tools.tell(machine, `its clock is set ${byMs} ms on`)
    machine.stepWall(byMs)
    return true
  },
  'clock drift': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    const rate = 1 + (2 * tools.random.fraction() - 1) * driftMax
    tools.tell(machine, `its clock runs at ${rate.toFixed(4)}`)
    machine.setClockRate(rate)
    tools.later(20 * secondMs, () => machine.setClockRate(machine.spec.clockRate))
    return true
  },
} as const

export function powerReturns(tools: FaultTools, machine: SimulatedMachine): void {
  tools.later(8 * secondMs, () => {
    if (machine.hasPower) return
    tools.tell(machine, 'has power again')
    machine.gainPower()
  })
}
