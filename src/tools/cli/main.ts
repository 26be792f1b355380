/** `jangada COMMAND …`: finds the command, loads only that one, and runs it. */
import { errorCodes, isJangadaError, JangadaError } from '../../base/errors.ts'
import type { Command } from './command.ts'
import type { CliEnvironment } from './environment.ts'

interface Entry {
  /** One or two words. */
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly command: Command }>
}

const entry = (name: string, summary: string, load: Entry['load']): Entry => ({
  name,
  summary,
  load,
})

const groups: Readonly<Record<string, readonly Entry[]>> = {
  'A cluster': [
    entry('init', 'Make a new cluster of this machine', () => import('./commands/init.ts')),
    entry('up', "Be this machine's part of the cluster", () => import('./commands/up.ts')),
    entry('join', 'Join this machine to a cluster', () => import('./commands/join.ts')),
    entry('token', 'Make a token for machines or for the API', () => import('./commands/token.ts')),
    entry('token ls', 'List tokens', () => import('./commands/token-ls.ts')),
    entry('token rm', 'Take a token back', () => import('./commands/token-rm.ts')),
    entry('admit', 'Let a machine in that waits', () => import('./commands/admit.ts')),
    entry('status', 'The cluster, or a unit, at a glance', () => import('./commands/status.ts')),
    entry('machines', 'List machines', () => import('./commands/machines.ts')),
    entry('metadata', 'Label a machine', () => import('./commands/metadata.ts')),
    entry('drain', 'Empty a machine', () => import('./commands/drain.ts')),
    entry('undrain', 'Let it take units again', () => import('./commands/undrain.ts')),
    entry('top', 'What units use', () => import('./commands/top.ts')),
    entry(
      'rebalance',
      'What would be better placed elsewhere',
      () => import('./commands/rebalance.ts'),
    ),
    entry('leave', 'Take a machine out of the cluster', () => import('./commands/leave.ts')),
    entry('members', 'Who votes, and who stands by', () => import('./commands/members.ts')),
    entry('members promote', 'Let a machine vote', () => import('./commands/members-promote.ts')),
    entry('members demote', 'Take its vote', () => import('./commands/members-demote.ts')),
    entry('members pin', 'Keep it what it is', () => import('./commands/members-pin.ts')),
    entry('quorum', 'How many may be lost', () => import('./commands/quorum.ts')),
    entry('settings', 'What is set for the cluster', () => import('./commands/settings.ts')),
    entry('leader', 'Who leads', () => import('./commands/leader.ts')),
    entry('leader transfer', 'Hand the lead over', () => import('./commands/leader-transfer.ts')),
    entry('events', 'What happened', () => import('./commands/events.ts')),
  ],
  'The state': [
    entry('snapshot save', 'Copy the state to a file', () => import('./commands/snapshot-save.ts')),
    entry('snapshot verify', 'Check a copy', () => import('./commands/snapshot-verify.ts')),
    entry(
      'snapshot restore',
      'Make a new cluster of a copy',
      () => import('./commands/snapshot-restore.ts'),
    ),
    entry('recover', 'Go on when most voters are lost', () => import('./commands/recover.ts')),
  ],
  Units: [
    entry('units', 'List units and where they run', () => import('./commands/units.ts')),
    entry('unit-files', 'List unit files', () => import('./commands/unit-files.ts')),
    entry('submit', 'Store unit files', () => import('./commands/submit.ts')),
    entry('load', 'Give units a machine', () => import('./commands/load.ts')),
    entry('start', 'Run units', () => import('./commands/start.ts')),
    entry('stop', 'Stop units; they keep their machine', () => import('./commands/stop.ts')),
    entry('unload', 'Stop units and take them off', () => import('./commands/unload.ts')),
    entry('restart', 'Stop and start units in turn', () => import('./commands/restart.ts')),
    entry('destroy', 'Forget units', () => import('./commands/destroy.ts')),
    entry('verify', 'Check unit files', () => import('./commands/verify.ts')),
    entry('cat', 'Print a unit file', () => import('./commands/cat.ts')),
    entry('plan', 'What would come of it', () => import('./commands/plan.ts')),
    entry('why', 'Why a unit is where it is', () => import('./commands/why.ts')),
    entry('volumes', 'Where volumes are', () => import('./commands/volumes.ts')),
    entry('volumes forget', 'Give up a volume', () => import('./commands/volumes-forget.ts')),
    entry('logs', "A unit's output", () => import('./commands/logs.ts')),
  ],
  'Keys and values': [
    entry('kv', 'What one can do with keys', () => import('./commands/kv.ts')),
    entry('kv ls', 'List keys', () => import('./commands/kv-ls.ts')),
    entry('kv get', 'Print a value', () => import('./commands/kv-get.ts')),
    entry('kv put', 'Write a value', () => import('./commands/kv-put.ts')),
    entry('kv del', 'Delete keys', () => import('./commands/kv-del.ts')),
    entry('kv cas', 'Write if nothing changed', () => import('./commands/kv-cas.ts')),
    entry('kv txn', 'All of this, or else that', () => import('./commands/kv-txn.ts')),
    entry('kv watch', 'Changes as they happen', () => import('./commands/kv-watch.ts')),
    entry('kv quota', 'How full the store is', () => import('./commands/kv-quota.ts')),
    entry('kv lease', 'Keys that end together', () => import('./commands/kv-lease.ts')),
  ],
  'Blank machines and the lab': [
    entry('image ls', 'List system images', () => import('./commands/image-ls.ts')),
    entry('image import', 'Import a system image', () => import('./commands/image-import.ts')),
    entry('image build', 'Build a system image', () => import('./commands/image-build.ts')),
    entry('image rm', 'Remove a system image', () => import('./commands/image-rm.ts')),
    entry('rack', 'A cluster on one computer', () => import('./commands/rack.ts')),
  ],
  Other: [entry('version', 'Versions here and there', () => import('./commands/version.ts'))],
}

const aliases: Readonly<Record<string, string>> = {
  'list-units': 'units',
  'list-unit-files': 'unit-files',
  'list-machines': 'machines',
  journal: 'logs',
  'token create': 'token',
  image: 'image ls',
}

const entries = new Map(
  Object.values(groups)
    .flat()
    .map((one) => [one.name, one]),
)

/** As a shell has it for a program that SIGINT ended. */
const interruptedCode = 130

/** The exit code: 0 done, 1 failed, 2 usage, 130 interrupted. Rejects only for our own mistakes. */
export async function runCli(
  argv: readonly string[],
  environment: CliEnvironment,
): Promise<number> {
  try {
    return await dispatch(argv, environment)
  } catch (error) {
    if (!isJangadaError(error)) throw error
    if (error.code === 'JGD_UNREACHABLE' && environment.signal.aborted) {
      environment.stderr('jangada: interrupted; what the cluster was asked for goes on\n')
      return interruptedCode
    }
    report(error, argv.includes('--json'), environment)
    return errorCodes[error.code].exit === 2 ? 2 : 1
  }
}

async function dispatch(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const [first = '', second = ''] = argv
  if (first === 'help' && argv.length > 1)
    return dispatch([...argv.slice(1), '--help'], environment)
  if (first === '' || first === '--help' || first === '-h' || first === 'help') {
    environment.stdout(overview())
    return first === '' ? 2 : 0
  }
  if (first === '--version') {
    environment.stdout(`${environment.version}\n`)
    return 0
  }
  if (first.startsWith('--')) {
    const leading = leadingOptions(argv)
    if (leading > 0 && leading < argv.length) {
      return dispatch([...argv.slice(leading), ...argv.slice(0, leading)], environment)
    }
  }
  const two = find(`${first} ${second}`)
  const found = two ?? find(first)
  if (found === undefined) throw unknown(first)
  const { command } = await found.load()
  const { parseArguments } = await import('./command.ts')
  const parsed = parseArguments(found.name, command, argv.slice(two === undefined ? 1 : 2))
  if (parsed.kind === 'run') {
    return command.run(parsed.args, environment).catch((error: unknown) => {
      throw withHelp(error, found.name)
    })
  }
  environment.stdout(parsed.text)
  return 0
}

/** How many words of options that every command has stand before it, as fleetctl has them. */
function leadingOptions(argv: readonly string[]): number {
  let at = 0
  for (;;) {
    const word = argv[at] ?? ''
    if (word === '--json' || /^--(?:endpoint|token)=/.test(word)) at += 1
    else if (word === '--endpoint' || word === '--token') at += 2
    else return at
  }
}

/** Whoever used a command wrongly, and is told no better way, is told where to read of it. */
const withHelp = (error: unknown, name: string): unknown =>
  isJangadaError(error, 'JGD_USAGE') && error.hint === undefined
    ? new JangadaError(error.code, error.message, { hint: `jangada ${name} --help` })
    : error

const find = (name: string): Entry | undefined => entries.get(aliases[name] ?? name)

function unknown(name: string): JangadaError {
  const actions = [...entries.keys()].filter((one) => one.startsWith(`${name} `))
  if (actions.length > 0) {
    const hint = actions.map((one) => `jangada ${one}`).join(', ')
    return new JangadaError('JGD_USAGE', `"${name}" needs a word more`, { hint })
  }
  const near = [...entries.keys()].filter((one) => one.startsWith(name.slice(0, 2)))
  const hint = near.length === 0 ? 'jangada --help' : `did you mean ${near.join(', ')}?`
  return new JangadaError('JGD_USAGE', `there is no command "${name}"`, { hint })
}

function overview(): string {
  const lines = ['jangada COMMAND [ARGUMENT…]', '']
  for (const [title, group] of Object.entries(groups)) {
    lines.push(`${title}:`)
    for (const { name, summary } of group) lines.push(`  ${name.padEnd(16)} ${summary}`)
    lines.push('')
  }
  lines.push(
    'jangada COMMAND --help says more. Commands talk to the node on this machine, or to the one',
    'that --endpoint and --token name. Every command takes --json. Exit codes: 0 done, 1 failed,',
    '2 wrong usage, 130 interrupted.',
  )
  return `${lines.join('\n')}\n`
}

function report(error: JangadaError, asJson: boolean, environment: CliEnvironment): void {
  if (asJson) {
    environment.stderr(`${JSON.stringify({ error: error.toBody() })}\n`)
    return
  }
  const problems = problemsOf(error)
  const what = problems.length === 0 ? error.message : `${problems.length} things are wrong`
  const lines = [`jangada: ${what} (${error.code})`]
  for (const { file, line, reason } of problems) {
    lines.push(`  ${file}${line === 0 ? '' : `:${line}`}: ${reason}`)
  }
  if (error.hint !== undefined) lines.push(`next: ${error.hint}`)
  environment.stderr(`${lines.join('\n')}\n`)
}

interface Problem {
  readonly file: string
  readonly line: number
  readonly reason: string
}

/** A refused unit file comes with everything that is wrong with it. */
function problemsOf({ details }: JangadaError): readonly Problem[] {
  const { problems } = (details ?? {}) as { problems?: unknown }
  return Array.isArray(problems) && problems.length > 1 ? (problems as Problem[]) : []
}
