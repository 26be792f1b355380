import type { RecoveryPlan } from '../../offline/recover.ts'
import { type Command, nodeOptions } from '../command.ts'
import { stateLines } from '../state-text.ts'
import { printJson } from '../table.ts'

const { json } = nodeOptions

export const command: Command = {
  synopsis: 'recover',
  about:
    'For when a majority of the voters is lost for good: the cluster goes on from what the voter on\n' +
    'this machine has. Run it on the one with the highest log entry. Its node must be stopped. Without\n' +
    '--yes it only says what would be kept and lost, and changes nothing. The log that was there is\n' +
    'kept beside. Other voters that come back later must come one at a time: each then finds that it\n' +
    'was removed, and begins anew. Several at once could go on without this one.',
  words: { min: 0, max: 0 },
  options: {
    ...(json === undefined ? {} : { json }),
    yes: { type: 'boolean', describe: 'Do it' },
    log: {
      type: 'string',
      requiresArg: true,
      describe: 'A log that was set aside, below the state directory: wal.aside-TIME [wal]',
    },
    'state-dir': {
      type: 'string',
      requiresArg: true,
      describe: 'Of the stopped member [/var/lib/jangada]',
    },
  },
  examples: [
    ['recover', 'what would be kept, and what lost'],
    ['recover --yes', 'then systemctl start jangada'],
  ],
  run: async (args, environment) => {
    const { planRecovery, recover } = await environment.offline()
    const directory = args.text('state-dir') ?? environment.defaults.stateDirectory
    const isDone = args.flag('yes')
    const plan = await (isDone ? recover : planRecovery)(directory, args.text('log'))
    if (args.flag('json')) printJson(environment, { ...plan, done: isDone })
    else environment.stdout(`${[...planLines(plan), ...nextLines(plan, isDone)].join('\n')}\n`)
    return 0
  },
}

function planLines({ kept, member, commit, last, others, log }: RecoveryPlan): string[] {
  const perhaps = last - commit
  return [
    `kept: what member ${member} has in ${log}`,
    ...stateLines(kept),
    perhaps === 0
      ? `  every entry of its log is known to be agreed on`
      : `  after entry ${commit} (${perhaps} more) it is not known to be agreed on; that is kept too`,
    `lost: whatever was acknowledged after log entry ${last}, which only others had`,
    others.length === 0
      ? 'no other member is known to it'
      : `removed: ${others.map((one) => `member ${one.memberId} at ${one.address}`).join(', ')}`,
  ]
}

function nextLines({ newMember, log }: RecoveryPlan, isDone: boolean): string[] {
  if (!isDone) return ['nothing was changed', 'next: the same with --yes']
  return [
    `done: the only voter is member ${newMember} here; the log that was ${log} is kept`,
    'next: systemctl start jangada; then start the other machines, voters one at a time',
  ]
}
