/**
 * What happens to disks. Torn and lost writes come with every loss of power, by the seed. A disk
 * that forgets or changes what it had made durable may cost the machine its member: only as many
 * members as the cluster can spare are put at risk (`MemberLosses`).
 */
import { damageOf, type Damage } from '../disk-damage.ts'
import type { SimulatedMachine } from '../machine.ts'
import { powerReturns } from './machine-faults.ts'
import { type FaultTools, secondMs } from './tools.ts'

/** Bytes that still fit on a disk that is about to be full. */
const roomMax = 32 * 1024

export const diskFaults = {
  'lost disk': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (!machine.hasPower || !tools.losses.maySpare(machine)) return false
    tools.tell(machine, 'loses power, and its disk')
    tools.losses.note(machine)
    machine.losePower()
    machine.replaceDisk()
    powerReturns(tools, machine)
    return true
  },
  /** The next sync fails, whose ever it is; a log that fails costs the machine its member. */
  'failed sync': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (machine.process === undefined || !tools.losses.maySpare(machine)) return false
    tools.tell(machine, 'a sync of its disk will fail')
    tools.losses.note(machine)
    const { disk } = machine
    disk.faults.failedSync = 1
    const { failedSyncs } = disk.counts
    const look = (): void => {
      if (disk.counts.failedSyncs > failedSyncs) disk.faults.failedSync = 0
      else if (disk.faults.failedSync > 0) tools.world.time.after(2, look)
    }
    look()
    return true
  },
  'slow disk': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    tools.tell(machine, 'its disk is slow')
    machine.disk.faults.stalledSync = 0.1 + 0.5 * tools.random.fraction()
    tools.later(4 * secondMs, () => {
      machine.disk.faults.stalledSync = 0
    })
    return true
  },
  'full disk': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    if (!machine.hasPower || !tools.losses.maySpare(machine)) return false
    tools.losses.note(machine)
    const { disk } = machine
    const room = tools.random.integer(0, roomMax)
    tools.tell(machine, `its disk has room for ${room} bytes`)
    disk.capacityBytes = disk.usedBytes + room
    tools.later(6 * secondMs, () => {
      tools.tell(machine, 'its disk has room again')
      disk.capacityBytes = Infinity
    })
    return true
  },
  'corrupted sector': (tools: FaultTools, machine: SimulatedMachine): boolean =>
    damaged(tools, machine, 'corrupted'),
  'misdirected write': (tools: FaultTools, machine: SimulatedMachine): boolean =>
    damaged(tools, machine, 'misdirected'),
} as const

/** Nobody notices while the kernel has the pages in memory: so the power goes too. */
function damaged(tools: FaultTools, machine: SimulatedMachine, kind: Damage['kind']): boolean {
  if (!machine.hasPower || !tools.losses.maySpare(machine)) return false
  tools.losses.note(machine)
  machine.losePower()
  powerReturns(tools, machine)
  const damage = damageOf(machine.disk, tools.random, kind)
  const what = damage === undefined ? '' : `; a sector is ${kind}: ${damage.path} ${damage.offset}`
  tools.tell(machine, `loses power${what}`)
  damage?.happen()
  return damage !== undefined
}
