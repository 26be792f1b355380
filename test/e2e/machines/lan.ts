/** A LAN for virtual machines: a bridge in a network namespace that ends with this process. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** Whatever happens to this process, what it started dies with it. */
const dyingWithUs = ['setpriv', '--pdeathsig', 'KILL']

export interface Lan {
  /** The prefix of a command that is to run on this LAN, and that ends when this process does. */
  readonly on: readonly string[]
  /** A port of the switch, for one machine. */
  addTap(name: string): void
  remove(): Promise<void>
}

export async function makeLan(): Promise<Lan> {
  const script = `set -e
ip link set lo up
ip link add lan type bridge stp_state 0 mcast_snooping 0
ip link set lan up
echo made
exec sleep infinity`
  const command = [...dyingWithUs, 'unshare', '--net', 'sh', '-c', script]
  const holder = start(command, ['ignore', 'pipe', 'inherit'])
  const ended = once(holder, 'exit')
  const said = await Promise.race([once(holder.stdout as NodeJS.ReadableStream, 'data'), ended])
  if (!String(said[0]).startsWith('made')) throw new Error('the LAN could not be made')
  const on = [...dyingWithUs, 'nsenter', `--net=/proc/${holder.pid}/ns/net`]
  return {
    on,
    addTap: (name) => {
      must([...on, 'ip', 'tuntap', 'add', name, 'mode', 'tap'])
      must([...on, 'ip', 'link', 'set', 'dev', name, 'master', 'lan', 'up'])
    },
    remove: async () => {
      holder.kill('SIGKILL')
      await ended
    },
  }
}

export function start(
  argv: readonly string[],
  stdio: ('ignore' | 'pipe' | 'inherit')[],
): ChildProcess {
  const [program = '', ...rest] = argv
  return spawn(program, rest, { stdio })
}

function must([program = '', ...rest]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${path.basename(program)} ${rest.join(' ')}: ${stderr}`)
}
