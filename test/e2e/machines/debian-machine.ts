/** A virtual machine that boots Debian from its disk, and takes commands over a serial line. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { DebianDisk } from './debian-disk.ts'
import { start, type Lan } from './lan.ts'

const bootMsMax = 180_000
const commandMsMax = 120_000
/** Without a bound QEMU takes up to 1.9 GiB for translated code. */
const translationCacheMb = 192
const evidenceLines = 40

export interface DebianMachineOptions {
  readonly lan: Lan
  readonly tap: string
  readonly mac: string
  readonly uuid: string
  readonly disk: DebianDisk
  readonly media: string
  readonly memoryMb: number
  readonly cpus: number
  /** What the kernel and systemd say. */
  readonly consoleFile: string
}

export interface Said {
  readonly code: number
  /** Both outputs, as they came. */
  readonly output: string
}

export interface DebianMachine {
  /** Runs a bash script as root to its end. One at a time. */
  run(script: string, timeoutMs?: number): Promise<Said>
  /** As `run`; rejects unless the code is 0. */
  must(script: string, timeoutMs?: number): Promise<string>
  powerOff(): Promise<void>
}

/** Resolves when the machine takes commands; its disk forgets everything when it is switched off. */
export async function bootDebian(options: DebianMachineOptions): Promise<DebianMachine> {
  const qemu = start([...options.lan.on, ...qemuArguments(options)], ['pipe', 'pipe', 'inherit'])
  const { stdin, stdout } = qemu
  if (stdin === null || stdout === null) throw new Error('the serial line is a pipe')
  const ended = once(qemu, 'exit')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()

  const nextLine = async (what: string, timeoutMs: number): Promise<string> => {
    const late = AbortSignal.timeout(timeoutMs)
    const next = await Promise.race([
      lines.next(),
      once(late, 'abort').then(() => undefined),
      ended.then(() => undefined),
    ])
    if (next !== undefined && next.done !== true) return next.value.trim()
    const console = (await readFile(options.consoleFile, 'utf8')).trimEnd().split('\n')
    const why = late.aborted ? `not within ${timeoutMs / 1000} s` : 'the machine ended'
    throw new Error(`${what}: ${why}\n${console.slice(-evidenceLines).join('\n')}`)
  }

  const run = async (script: string, timeoutMs = commandMsMax): Promise<Said> => {
    stdin.write(`${Buffer.from(script).toString('base64')}\n`)
    const answer = await nextLine(script, timeoutMs)
    const [code = '', output = ''] = answer.split(' ')
    return { code: Number(code), output: Buffer.from(output, 'base64').toString('utf8') }
  }
  while ((await nextLine('the machine boots', bootMsMax)) !== 'ready');
  return {
    run,
    must: async (script, timeoutMs) => {
      const { code, output } = await run(script, timeoutMs)
      if (code !== 0) throw new Error(`${script}: code ${code}\n${output}`)
      return output
    },
    powerOff: async () => {
      qemu.kill('SIGKILL')
      await ended
    },
  }
}

function qemuArguments(machine: DebianMachineOptions): string[] {
  const { disk } = machine
  // Docker refuses to start containers when the kernel has AppArmor and its parser is not there.
  const kernelArguments = 'root=/dev/vda console=ttyS0 net.ifnames=0 apparmor=0 selinux=0 quiet'
  const options: readonly (readonly [string, string])[] = [
    ['-accel', `tcg,thread=multi,tb-size=${translationCacheMb}`],
    ['-machine', 'pc,graphics=off'],
    ['-display', 'none'],
    ['-m', String(machine.memoryMb)],
    ['-smp', String(machine.cpus)],
    ['-uuid', machine.uuid],
    ['-kernel', disk.kernel],
    ['-initrd', disk.initramfs],
    ['-append', kernelArguments],
    ['-drive', `file=${disk.disk},format=raw,if=virtio,snapshot=on`],
    ['-drive', `file=${machine.media},format=raw,if=virtio,readonly=on`],
    ['-serial', `file:${machine.consoleFile}`],
    ['-chardev', 'stdio,id=commands,signal=off'],
    ['-serial', 'chardev:commands'],
    ['-netdev', `tap,id=lan,ifname=${machine.tap},script=no,downscript=no`],
    ['-device', `virtio-net-pci,netdev=lan,mac=${machine.mac}`],
    ['-device', 'virtio-rng-pci'],
  ]
  return ['qemu-system-x86_64', '-nodefaults', '-no-user-config', ...options.flat()]
}
