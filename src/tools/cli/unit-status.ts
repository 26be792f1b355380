/** `jangada status NAME`: one unit as systemctl shows one, wherever it runs. */
import type { Options } from 'yargs'
import { isJangadaError } from '../../base/errors.ts'
import type { Needs } from '../../base/room.ts'
import type { UnitAnswer, UnitRow } from '../../node/api/answers.ts'
import { type Arguments, usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, openNode, segment } from './node-client.ts'
import { agoText, machineText, printJson, sizeText } from './table.ts'
import { knownNames } from './unit-names.ts'

const linesDefault = 10
const linesMax = 10_000

export const linesOption: Options = {
  alias: 'n',
  type: 'number',
  requiresArg: true,
  default: linesDefault,
  describe: `With a name: the last lines of its output, at most ${linesMax}`,
}

export async function unitStatus(args: Arguments, environment: CliEnvironment): Promise<number> {
  const lines = args.number('lines') ?? linesDefault
  if (!Number.isSafeInteger(lines) || lines < 0 || lines > linesMax) {
    throw usage(`--lines is a whole number from 0 to ${linesMax}`)
  }
  const node = openNode(args, environment)
  const answers: UnitAnswer[] = []
  for (const name of await knownNames(node, args.words, { templates: true })) {
    answers.push(await node.get<UnitAnswer>(`/v1/units/${segment(name)}`))
  }
  if (args.flag('json')) {
    printJson(environment, { units: answers })
    return 0
  }
  for (const [at, answer] of answers.entries()) {
    if (at > 0) environment.stdout('\n')
    environment.stdout(headText(answer))
    for (const row of answer.states) {
      environment.stdout(stateText(row, environment.wallMs()))
      if (row.machine !== null && row.containerId !== undefined && lines > 0) {
        environment.stdout(await outputOf(node, row, row.machine, lines))
      }
    }
  }
  return 0
}

const line = (label: string, text: string): string => `${label.padStart(10)}: ${text}\n`

function headText({ name, hash, desired, summary, isTemplate, isGlobal }: UnitAnswer): string {
  const description =
    summary === null || summary.description === '' ? '' : ` - ${summary.description}`
  const kind = isTemplate ? 'a template' : isGlobal ? `${desired}, global` : desired
  const reserves = summary === null ? '' : needsText(summary.needs)
  return [
    `${name}${description}\n`,
    line('Wanted', `${kind} (hash ${hash.slice(0, 7)})`),
    ...(reserves === '' ? [] : [line('Reserves', reserves)]),
  ].join('')
}

const needsText = ({ memoryBytes, nanoCpus, ports }: Needs): string =>
  [
    ...(memoryBytes === 0 ? [] : [`${sizeText(memoryBytes)} of memory`]),
    ...(nanoCpus === 0 ? [] : [`${Number((nanoCpus / 1e9).toFixed(2))} processors`]),
    ...ports.map(({ port, ip }) => `port ${ip === '' ? '' : `${ip}:`}${port}`),
  ].join(', ')

function stateText(row: UnitRow, nowMs: number): string {
  const since =
    row.sinceMs === undefined || row.sinceMs === 0 ? '' : `, ${agoText(row.sinceMs, nowMs)}`
  const restarts =
    row.restarts === 0
      ? ''
      : `, started again ${row.restarts === 1 ? 'once' : `${row.restarts} times`}`
  const image = row.imageDigest === undefined ? row.image : `${row.image} (${row.imageDigest})`
  return [
    ...(row.machine === null
      ? []
      : [line('Machine', machineText(row.machine, row.machineAddress, true))]),
    line('Active', `${row.active} (${row.sub})${since}${restarts}`),
    ...(row.message === '' ? [] : [line('Message', row.message)]),
    ...(row.containerId === undefined ? [] : [line('Container', row.containerId.slice(0, 12))]),
    ...(image === undefined ? [] : [line('Image', image)]),
  ].join('')
}

/** What cannot be read now is no reason to say nothing of the unit. */
async function outputOf(
  node: NodeClient,
  { name }: UnitRow,
  machine: string,
  lines: number,
): Promise<string> {
  const path = `/v1/units/${segment(name)}/logs?tail=${lines}&machine=${segment(machine)}`
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of await node.stream(path)) {
      text += decoder.decode(chunk, { stream: true })
    }
  } catch (error) {
    if (!isJangadaError(error)) throw error
    text += `its output cannot be read: ${error.message} (${error.code})\n`
  }
  return text === '' ? '' : `\n${text}`
}
