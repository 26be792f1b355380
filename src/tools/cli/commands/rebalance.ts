import { isJangadaError } from '../../../base/errors.ts'
import type { UnitsAnswer } from '../../../node/api/answers.ts'
import type { MoveAnswer, RebalanceAnswer } from '../../../node/api/operation-answers.ts'
import { type Arguments, type Command, nodeOptions, tableOptions, usage } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { type NodeClient, openNode, segment } from '../node-client.ts'
import { type Column, printJson, printTable } from '../table.ts'

const pollMs = 250
const movesMax = 1000
const atOnceMax = 100

type Move = RebalanceAnswer['moves'][number]

const columns: readonly Column<Move>[] = [
  { name: 'unit', cell: ({ unit }) => unit },
  { name: 'from', cell: ({ from }) => from.name },
  { name: 'to', cell: ({ to }) => to.name },
  { name: 'why', cell: ({ why }) => why },
]

export const command: Command = {
  synopsis: 'rebalance [--apply]',
  about:
    'Lists the units that would be placed better elsewhere, on machines that have come since they\n' +
    'were placed, and changes nothing. With --apply it moves them, one after the other: each runs in\n' +
    'its new place before it is stopped in the old one. Units that follow others, must never run\n' +
    'twice or run everywhere stay where they are.',
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    apply: { type: 'boolean', describe: 'Move them' },
    max: {
      type: 'number',
      requiresArg: true,
      default: 100,
      describe: `So many at most, up to ${movesMax}`,
    },
    'at-once': {
      type: 'number',
      requiresArg: true,
      default: 1,
      describe: `With --apply: so many at the same time, up to ${atOnceMax}`,
    },
  },
  examples: [
    ['rebalance', 'what would move'],
    ['rebalance --apply --at-once 5', 'after a row of machines came back'],
  ],
  run: async (args, environment) => {
    const max = numberOf(args, 'max', movesMax)
    const atOnce = numberOf(args, 'at-once', atOnceMax)
    const node = openNode(args, environment)
    const answer = await node.get<RebalanceAnswer>(`/v1/rebalance?max=${max}`)
    if (args.flag('json') && !args.flag('apply')) printJson(environment, answer)
    if (!args.flag('apply')) {
      if (!args.flag('json')) tell(environment, args, answer.moves)
      return 0
    }
    const moved = await moveAll(environment, node, answer.moves, atOnce, !args.flag('json'))
    if (args.flag('json')) printJson(environment, { moved })
    return moved.length === answer.moves.length ? 0 : 1
  },
}

function numberOf(args: Arguments, name: string, max: number): number {
  const value = args.number(name) ?? 1
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  throw usage(`--${name} is a whole number from 1 to ${max}`)
}

function tell(environment: CliEnvironment, args: Arguments, moves: readonly Move[]): void {
  if (moves.length === 0) {
    environment.stdout('every unit is as well placed as it can be\n')
    return
  }
  printTable(environment, args, columns, moves)
  environment.stdout(`${moves.length} would move: jangada rebalance --apply moves them\n`)
}

interface Moved {
  readonly unit: string
  readonly from: string
  readonly to: string
}

/** Those that moved. What finds no other place after all, is told and left. */
async function moveAll(
  environment: CliEnvironment,
  node: NodeClient,
  moves: readonly Move[],
  atOnce: number,
  tells: boolean,
): Promise<Moved[]> {
  const moved: Moved[] = []
  const waiting = [...moves]
  const one = async (): Promise<void> => {
    for (let move = waiting.shift(); move !== undefined; move = waiting.shift()) {
      if (environment.signal.aborted) return
      const done = await moveOrTell(environment, node, move.unit)
      if (done === undefined) continue
      moved.push(done)
      if (tells) environment.stdout(`${done.unit}: ${done.from} to ${done.to}\n`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return moved
}

/** One that may not move after all, or is there no more, holds up no other. */
async function moveOrTell(
  environment: CliEnvironment,
  node: NodeClient,
  unit: string,
): Promise<Moved | undefined> {
  try {
    return await moveOne(environment, node, unit)
  } catch (error) {
    if (!isJangadaError(error, 'JGD_CONFLICT') && !isJangadaError(error, 'JGD_UNIT_UNKNOWN'))
      throw error
    environment.stderr(`${unit} is left where it is: ${error.message}\n`)
    return undefined
  }
}

async function moveOne(
  environment: CliEnvironment,
  node: NodeClient,
  unit: string,
): Promise<Moved | undefined> {
  const asked = await node.call<MoveAnswer>('POST', `/v1/units/${segment(unit)}/move`)
  const untilMs = environment.monotonicMs() + asked.forMs
  while (!environment.signal.aborted && environment.monotonicMs() < untilMs) {
    const { units } = await node.get<UnitsAnswer>('/v1/units')
    const rows = units.filter(({ name, machine }) => name === unit && machine !== null)
    const isGone = !rows.some(({ machine }) => machine === asked.from.id)
    const there = rows.find(
      ({ machine, active }) => machine !== asked.from.id && active === 'active',
    )
    if (isGone && there !== undefined) {
      return { unit, from: asked.from.name, to: there.machineName ?? there.machine ?? '' }
    }
    await environment.sleep(pollMs)
  }
  environment.stderr(`${unit} has found no other place: jangada why ${unit}\n`)
  return undefined
}
