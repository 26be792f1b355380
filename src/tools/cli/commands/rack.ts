import { anyNumber, type Arguments, type Command, usage } from '../command.ts'
import type { CliEnvironment, RackAccess } from '../environment.ts'

export const command: Command = {
  synopsis: 'rack ACTION …',
  about:
    'The lab: a whole cluster on this computer, with real hosts in namespaces, a real engine on\n' +
    'each, and blank machines that boot over its network. Needs root.\n\n' +
    '  rack up [--hosts N] [--blank N]   builds it and makes one cluster of the hosts\n' +
    '  rack ls                           hosts, machines, how they stand\n' +
    '  rack exec HOST -- COMMAND…        runs a command on a host\n' +
    '  rack logs HOST [SERVICE]          the last lines of a service there\n' +
    '  rack power-off|power-on HOST      as by the plug\n' +
    '  rack cut|heal HOST                its network cable\n' +
    '  rack freeze|thaw HOST             all its processes\n' +
    '  rack loss HOST PERCENT            packets lost\n' +
    '  rack partition A,B C,D            these do not reach those\n' +
    '  rack down                         takes all of it away',
  words: { min: 1, max: anyNumber },
  options: {
    hosts: { type: 'number', requiresArg: true, default: 3, describe: 'up: hosts with an engine' },
    blank: { type: 'number', requiresArg: true, default: 0, describe: 'up: blank machines' },
    binary: {
      type: 'string',
      requiresArg: true,
      describe: 'up: the jangada that the hosts run [this]',
    },
    image: {
      type: 'string',
      requiresArg: true,
      describe: 'up: archive of a container image for every engine; may be given more than once',
    },
    bare: { type: 'boolean', describe: 'up: hosts and engines, no cluster on them' },
    replace: { type: 'boolean', describe: 'up: takes a rack of that name down first' },
    'keep-state': { type: 'boolean', describe: 'down: leaves its files' },
    'one-way': { type: 'boolean', describe: 'partition: only from the first to the second' },
    lines: { alias: 'n', type: 'number', requiresArg: true, describe: 'logs: how many' },
    name: { type: 'string', requiresArg: true, describe: "The rack's name" },
    'state-dir': { type: 'string', requiresArg: true, describe: 'Where its files are' },
    json: { type: 'boolean', describe: 'ls: print JSON' },
  },
  examples: [
    ['rack up --hosts 3 --blank 1', ''],
    ['rack exec n1 -- docker ps', ''],
  ],
  run: async (args, environment) => {
    const [action = '', ...rest] = args.words
    const run = actions[action]
    if (run === undefined) {
      throw usage(`there is no "rack ${action}"`, Object.keys(actions).join(', '))
    }
    const most = wordsMax[action] ?? 1
    if (rest.length > most) {
      const extra = rest.slice(most).join(' ')
      throw usage(`rack ${action}: what is "${extra}" for?`, 'jangada rack --help')
    }
    return run(await environment.rack(), args, rest, environment)
  },
}

/** How many words follow an action; one where nothing is said. */
const wordsMax: Readonly<Record<string, number>> = {
  up: 0,
  down: 0,
  ls: 0,
  exec: anyNumber,
  logs: 2,
  loss: 2,
  partition: 2,
}

type Action = (
  rack: RackAccess,
  args: Arguments,
  words: readonly string[],
  environment: CliEnvironment,
) => Promise<number>

interface Place {
  readonly name?: string
  readonly stateDir?: string
}

function placeOf(args: Arguments): Place {
  const name = args.text('name')
  const stateDir = args.text('state-dir')
  return {
    ...(name === undefined ? {} : { name }),
    ...(stateDir === undefined ? {} : { stateDir }),
  }
}

const machineOf = (args: Arguments, [machine]: readonly string[]): Place & { machine: string } => {
  if (machine === undefined) throw usage('name a machine of the rack', 'jangada rack ls')
  return { ...placeOf(args), machine }
}

function count(args: Arguments, name: string, fallback: number): number {
  const value = args.number(name) ?? fallback
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw usage(`--${name} is a whole number`)
}

const actions: Readonly<Record<string, Action>> = {
  up: ({ commands, context }, args) => {
    const binary = args.text('binary')
    const images = args.list('image')
    return commands.up(context, {
      ...placeOf(args),
      hosts: count(args, 'hosts', 3),
      blanks: count(args, 'blank', 0),
      bare: args.flag('bare'),
      replace: args.flag('replace'),
      ...(binary === undefined ? {} : { binary }),
      ...(images.length === 0 ? {} : { imageTars: images }),
    })
  },
  down: ({ commands, context }, args) =>
    commands.down(context, { ...placeOf(args), keepState: args.flag('keep-state') }),
  ls: ({ commands, context }, args) =>
    commands.ls(context, { ...placeOf(args), json: args.flag('json') }),
  exec: ({ commands, context }, args, words) => {
    const [, ...line] = words
    return commands.exec(context, { ...machineOf(args, words), command: line })
  },
  logs: ({ commands, context }, args, words) => {
    const lines = args.number('lines')
    const [, service] = words
    return commands.logs(context, {
      ...machineOf(args, words),
      ...(service === undefined ? {} : { service }),
      ...(lines === undefined ? {} : { lines }),
    })
  },
  'power-off': ({ commands, context }, args, words) =>
    commands.powerOff(context, machineOf(args, words)),
  'power-on': ({ commands, context }, args, words) =>
    commands.powerOn(context, machineOf(args, words)),
  cut: ({ commands, context }, args, words) => commands.cut(context, machineOf(args, words)),
  heal: ({ commands, context }, args, [machine]) =>
    commands.heal(context, { ...placeOf(args), ...(machine === undefined ? {} : { machine }) }),
  freeze: ({ commands, context }, args, words) => commands.freeze(context, machineOf(args, words)),
  thaw: ({ commands, context }, args, words) => commands.thaw(context, machineOf(args, words)),
  loss: ({ commands, context }, args, words) => {
    const percent = Number(words[1])
    if (!(percent >= 0 && percent <= 100)) throw usage('the loss is a number from 0 to 100')
    return commands.loss(context, { ...machineOf(args, words), percent })
  },
  partition: ({ commands, context }, args, [from, to]) => {
    if (from === undefined || to === undefined) {
      throw usage('name both sides', 'jangada rack partition n1,n2 n3')
    }
    return commands.partition(context, {
      ...placeOf(args),
      from: from.split(','),
      to: to.split(','),
      oneWay: args.flag('one-way'),
    })
  },
}
