/** Two network namespaces with a cable between them: a boot node's and its client's. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import path from 'node:path'
import type { Test } from 'tap'

export const serverAddress = '10.77.0.10'

export interface Cable {
  /** Runs in the client's namespace to its end, and returns what it wrote. */
  client(command: string, ...args: string[]): Promise<{ code: number | null; output: string }>
  readonly node: BootNode
}

export interface BootNode {
  readonly pid: number
  /** Everything it has told so far. */
  readonly lines: readonly Record<string, unknown>[]
  counters(): Promise<Record<string, number>>
  /** Resolves with the first line, past or future, for which `wanted` holds. */
  line(wanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
}

let made = 0

/** Takes both namespaces and the node down when the test ends. */
export async function makeCable(t: Test, ...nodeArguments: string[]): Promise<Cable> {
  made += 1
  const [server, client] = ['s', 'c'].map((side) => `jgd-${process.pid}-${made}${side}`) as [
    string,
    string,
  ]
  for (const name of [server, client]) {
    execFileSync('ip', ['netns', 'add', name])
    t.teardown(() => execFileSync('ip', ['netns', 'del', name]))
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  }
  const cable = ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client]
  execFileSync('ip', ['-n', server, ...cable])
  for (const name of [server, client]) execFileSync('ip', ['-n', name, 'link', 'set', 'eth0', 'up'])
  execFileSync('ip', ['-n', server, 'addr', 'add', `${serverAddress}/24`, 'dev', 'eth0'])
  return {
    client: (command, ...args) => finish(spawn('ip', ['netns', 'exec', client, command, ...args])),
    node: await startNode(t, server, nodeArguments),
  }
}

async function startNode(
  t: Test,
  namespace: string,
  nodeArguments: readonly string[],
): Promise<BootNode> {
  const script = path.join(import.meta.dirname, 'bootd-process.ts')
  const command = ['netns', 'exec', namespace, process.execPath, script, 'eth0', ...nodeArguments]
  const child = spawn('ip', command)
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  t.teardown(async () => {
    child.stdin.end()
    await ended
  })
  child.stderr.on('data', (text: Buffer) => t.comment(text.toString()))
  const lines: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Record<string, unknown>)
    for (const wake of waiting) wake()
  })
  const line: BootNode['line'] = async (wanted) => {
    for (;;) {
      const found = lines.find(wanted)
      if (found !== undefined) return found
      let wake = (): void => {}
      const next = new Promise<void>((resolve) => {
        wake = resolve
        waiting.add(wake)
      })
      await Promise.race([next, ended])
      waiting.delete(wake)
      if (child.exitCode !== null) throw new Error(`the node ended with ${child.exitCode}`)
    }
  }
  const ready = await line((one) => 'ready' in one)
  return {
    pid: Number(ready['ready']),
    lines,
    line,
    counters: async () => {
      const before = lines.length
      child.stdin.write('\n')
      const told = await line((one) => 'counters' in one && lines.indexOf(one) >= before)
      return told['counters'] as Record<string, number>
    },
  }
}

async function finish(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString()
    })
  }
  child.stdin.end()
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

/** Namespaces need root and `ip`; without them these tests cannot be had, and say so. */
export const cannotMakeNamespaces: string | false =
  process.getuid?.() === 0 ? false : 'network namespaces need root'
