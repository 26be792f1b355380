/** A machine with nothing on it, as the rack has them, on a LAN of a test's own. */
import { once } from 'node:events'
import { qemuArguments } from '../../../src/tools/rack/blank.ts'
import { start, type Lan } from './lan.ts'

export interface BlankMachineOptions {
  /** Its port on the LAN is `p-NAME`. */
  readonly name: string
  readonly mac: string
  readonly uuid: string
  /** What firmware, kernel and agent say. */
  readonly consoleFile: string
}

export interface BlankMachine {
  powerOff(): Promise<void>
}

export function switchOnBlank(lan: Lan, options: BlankMachineOptions): BlankMachine {
  const { consoleFile, ...identity } = options
  const machine = { kind: 'blank', memoryMb: 1024, cpus: 2, ...identity } as const
  const qemu = start(
    [...lan.on, ...qemuArguments(machine, consoleFile)],
    ['ignore', 'ignore', 'inherit'],
  )
  const ended = once(qemu, 'exit')
  return {
    powerOff: async () => {
      qemu.kill('SIGKILL')
      await ended
    },
  }
}
