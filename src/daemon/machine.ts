/** What this machine is, as the kernel and its links tell it. */
import { JangadaError } from '../base/errors.ts'
import type { MachineFacts } from '../node/enrol/messages.ts'
import { runCommand } from '../platform/commands.ts'
import { udpDatagrams } from '../platform/datagrams.ts'
import { readTextIfThere } from '../platform/file-tree.ts'
import { systemHost } from '../platform/host.ts'
import type { Link } from '../ports/datagrams.ts'
import type { MachineConfig } from './config.ts'

/** Bridges and pairs that belong to engines on this machine, not to the network. */
const virtualLink = /^(docker|br-|veth|virbr|cni|flannel|tap)/

/** The links by which other machines can be reached. */
export const outerLinks = (): readonly Link[] =>
  udpDatagrams()
    .links()
    .filter(({ name }) => !virtualLink.test(name))

export const linkNamed = (name: string): Link | undefined =>
  udpDatagrams()
    .links()
    .find((link) => link.name === name)

/** The address that was said when this machine came into its cluster, while a link still has it. */
export const addressStillHere = (said: string | undefined): string | undefined =>
  udpDatagrams()
    .links()
    .find(({ address }) => address === said)?.address

export async function machineFacts(config: MachineConfig): Promise<MachineFacts> {
  const host = systemHost()
  const { smbiosUuid, macs } = await host.facts()
  const address = config.address ?? outerLinks()[0]?.address
  if (address === undefined) {
    throw new JangadaError('JGD_LINK_UNKNOWN', 'this machine has no IPv4 address yet', {
      hint: 'bring a network interface up, or say --address',
    })
  }
  return { name: config.name ?? host.hostname(), uuid: smbiosUuid ?? '', macs: [...macs], address }
}

/** `jangada.*` arguments of the kernel's command line: how a blank machine learns its cluster. */
export interface BootArguments {
  readonly doors: readonly string[]
  readonly pin: string
  readonly nonce: string
}

/** Undefined on a machine that was not booted by a cluster. */
export async function bootArguments(): Promise<BootArguments | undefined> {
  const line = (await readTextIfThere('/proc/cmdline')) ?? ''
  const value = (name: string): string =>
    line
      .split(/\s+/)
      .find((word) => word.startsWith(`jangada.${name}=`))
      ?.slice(`jangada.${name}=`.length) ?? ''
  const found = { doors: value('join').split(',').filter(Boolean), pin: value('pin') }
  const nonce = value('nonce')
  if (found.doors.length === 0 || found.pin === '' || nonce === '') return undefined
  return { ...found, nonce }
}

const systemctlTimeoutMs = 500

/** True while systemd is taking the whole machine down; false where there is no systemd. */
export async function isShuttingDown(): Promise<boolean> {
  // It exits with 1 in every state but "running", which is no failure here.
  const script = 'systemctl is-system-running 2>/dev/null || true'
  try {
    const said = await runCommand('sh', ['-c', script], { timeoutMs: systemctlTimeoutMs })
    return said.trim() === 'stopping'
  } catch {
    return false
  }
}

export function parseDoor(text: string, defaultPort: number): { host: string; port: number } {
  const [host = '', port] = text.split(':')
  const number = port === undefined ? defaultPort : Number(port)
  if (host === '' || !Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new JangadaError('JGD_USAGE', `"${text}" is not HOST or HOST:PORT`)
  }
  return { host, port: number }
}
