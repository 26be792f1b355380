import { JangadaError } from '../../../base/errors.ts'
import type {
  MachinesAnswer,
  StatusReport,
  VolumeRow,
  VolumesAnswer,
} from '../../../node/api/answers.ts'
import type { LeaveAnswer } from '../../../node/api/operation-answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { drainAndWait } from '../drain-wait.ts'
import { durationMs } from '../duration.ts'
import type { CliEnvironment } from '../environment.ts'
import { type NodeClient, openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

const pollMs = 500
/** `jangada volumes` lists them all. */
const volumesTold = 10

export const command: Command = {
  synopsis: 'leave [MACHINE]',
  about:
    'Takes a machine out of the cluster; without a name the one that is asked. It drains first, as\n' +
    '`drain` does; then what is left there is stopped, its vote goes to another, and its key is taken\n' +
    'off the list. To stop an agent is another thing: that touches no container.\n\n' +
    'With --force it does not drain: its units stop, and start elsewhere after. So goes a machine that\n' +
    'is lost and will not come back; make sure that it is off, for nobody stops what runs there.\n' +
    'It can join again with an empty state directory; its labels are kept for it.',
  words: { min: 0, max: 1 },
  options: {
    ...nodeOptions,
    deadline: {
      type: 'string',
      requiresArg: true,
      describe: 'Drain for so long at most (30s, 10m); then what is left is stopped',
    },
    force: { type: 'boolean', describe: 'Do not drain, and do not ask what is lost by it' },
  },
  examples: [
    ['leave n2', 'when its units run elsewhere'],
    ['leave n2 --force', 'it burnt down'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const machine = args.words[0] ?? (await ownName(node))
    const deadline = args.text('deadline')
    if (deadline !== undefined && args.flag('force')) {
      throw usage('--force does not drain, so it has no --deadline')
    }
    const deadlineMs = deadline === undefined ? undefined : durationMs(deadline, '--deadline')
    const tells = !args.flag('json')
    const force = args.flag('force')
    if (!force) {
      await requireHeard(node, machine)
      const drained = await drainAndWait(environment, node, machine, { deadlineMs, tells })
      if (!drained) return 1
    }
    // Before it leaves: the machine may be the one that is asked.
    const { volumes } = await node.get<VolumesAnswer>('/v1/volumes')
    const answer = await leave(environment, node, machine, { force, tells })
    if (args.flag('json')) printJson(environment, answer)
    else if (answer.isDone) {
      environment.stdout(
        `${answer.name} has left; stop its agent: systemctl disable --now jangada\n` +
          volumesText(volumes, answer),
      )
    }
    return answer.isDone ? 0 : 1
  },
}

/** Units that use them run nowhere else, and the machine that has them is gone. */
function volumesText(volumes: readonly VolumeRow[], { id, name }: LeaveAnswer): string {
  const there = volumes.filter(({ machine }) => machine === id).map((volume) => volume.name)
  if (there.length === 0) return ''
  const told = there.slice(0, volumesTold).join(', ')
  const more = there.length > volumesTold ? ` and ${there.length - volumesTold} more` : ''
  return (
    `these volumes stay on ${name}, and units that use them wait: ${told}${more}\n` +
    'to begin with an empty one elsewhere: jangada volumes forget NAME\n'
  )
}

/** Nobody can say that a machine which is lost is empty: it would drain for nothing. */
async function requireHeard(node: NodeClient, machine: string): Promise<void> {
  const { machines } = await node.get<MachinesAnswer>('/v1/machines')
  const found = machines.find(({ id, name }) => id === machine || name === machine)
  if (found?.status !== 'lost') return
  throw new JangadaError('JGD_CONFLICT', `${found.name} is lost: what runs there may run on`, {
    hint: `make sure that it is off, then: jangada leave ${found.name} --force`,
  })
}

async function ownName(node: NodeClient): Promise<string> {
  const { node: own } = await node.get<StatusReport>('/v1/status')
  return own.machineId
}

async function leave(
  environment: CliEnvironment,
  node: NodeClient,
  machine: string,
  { force, tells }: { readonly force: boolean; readonly tells: boolean },
): Promise<LeaveAnswer> {
  let asked = machine
  for (let told = ''; ;) {
    const answer = await node.call<LeaveAnswer>('POST', `/v1/machines/${segment(asked)}/leave`, {
      force,
    })
    asked = answer.id
    if (answer.isDone) return answer
    const text = progressOf(answer)
    if (tells && text !== told) environment.stdout(`${answer.name}: ${text}\n`)
    told = text
    if (environment.signal.aborted) {
      environment.stderr(`interrupted; it goes on. To see the end: jangada leave ${answer.id}\n`)
      return answer
    }
    await environment.sleep(pollMs)
  }
}

const progressOf = ({ units, isMember }: LeaveAnswer): string =>
  units > 0
    ? `${units} units to stop`
    : isMember
      ? 'its vote goes to another'
      : 'its key is taken off the list'
