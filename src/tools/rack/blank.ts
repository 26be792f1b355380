/**
 * A blank machine: QEMU with no disk and no hint of what to boot. What it runs can only have come
 * over the rack's LAN: there is no -kernel, -initrd, -append, -drive, -cdrom, -virtfs or -fw_cfg.
 */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type CgroupLayout, cgroupDirs, createCgroups, joining } from './cgroups.ts'
import { cgroupName, portName, rackPaths } from './names.ts'
import { addTap, inNetwork, removePort } from './network.ts'
import { type ProcessRef, isAlive, startDetached } from './processes.ts'
import { type BlankSpec, type RackSpec, writeBoot } from './spec.ts'
import { tail } from './logs.ts'
import { type RackWorld, rackError, until } from './world.ts'

/** Without a bound QEMU takes up to 1.9 GiB for translated code. */
const translationCacheMb = 128
const startTimeoutMs = 10_000

export const serialLog = (rack: RackSpec, blank: string): string =>
  path.join(rackPaths(rack.stateDir).blank(blank), 'serial.log')

/** The firmware's screen goes to the serial line, so that all stages of a boot are in one file. */
export function qemuArguments(blank: BlankSpec, serialFile: string): string[] {
  const options: readonly (readonly [string, string])[] = [
    ['-accel', `tcg,thread=multi,tb-size=${translationCacheMb}`],
    ['-machine', 'pc,graphics=off'],
    ['-display', 'none'],
    ['-m', String(blank.memoryMb)],
    ['-smp', String(blank.cpus)],
    ['-uuid', blank.uuid],
    ['-chardev', `file,id=serial,path=${serialFile},append=on`],
    ['-serial', 'chardev:serial'],
    ['-netdev', `tap,id=lan,ifname=${portName(blank.name)},script=no,downscript=no`],
    ['-device', `virtio-net-pci,netdev=lan,mac=${blank.mac},bootindex=1`],
    ['-device', 'virtio-rng-pci'],
  ]
  return ['qemu-system-x86_64', '-nodefaults', '-no-user-config', ...options.flat()]
}

/** Switches the machine on. Its serial log is appended to over power cycles. */
export async function startBlank(
  world: RackWorld,
  layout: CgroupLayout,
  rack: RackSpec,
  blank: BlankSpec,
): Promise<ProcessRef> {
  const directory = rackPaths(rack.stateDir).blank(blank.name)
  const cgroup = cgroupName(rack.name, blank.name)
  await mkdir(directory, { recursive: true })
  await createCgroups(layout, cgroup)
  await removePort(rack.switch.pid, blank.name)
  await addTap(rack.switch.pid, blank.name)
  const argv = [...inNetwork(rack.switch.pid), ...qemuArguments(blank, serialLog(rack, blank.name))]
  const log = path.join(directory, 'qemu.log')
  const vm = await startDetached(joining(cgroupDirs(layout, cgroup), argv), log)
  await writeBoot(directory, { init: vm })
  const what = `the firmware of ${blank.name} runs`
  await until(world.clock, { what, timeoutMs: startTimeoutMs }, async () => {
    if (!(await isAlive(vm))) throw rackError(`QEMU ended at once: ${await tail(log, 10)}`)
    const said = await tail(serialLog(rack, blank.name), 1)
    return said === '' ? undefined : true
  })
  return vm
}
