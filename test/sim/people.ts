/** What stories of units do and look at: any node's API, as people have it, and every engine. */
import { readLabels } from '../../src/core/reconcile/labels.ts'
import type { UnitRow, UnitsAnswer, WhyAnswer } from '../../src/node/api/answers.ts'
import type { ApiResponse } from '../../src/node/api/messages.ts'
import { soonMs } from './membership.ts'
import type { SimulatedMachine } from './machine.ts'
import type { World } from './world.ts'

export interface Answer {
  readonly status: number
  /** Of JSON. */
  readonly value: unknown
}

/** Asks the API of `through` over its socket, and runs the world until it answers. */
export async function ask(
  world: World,
  through: SimulatedMachine,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const server = through.process?.server
  if (server === undefined) throw new Error(`${through.name} does not serve`)
  let answer: ApiResponse | undefined
  const request = {
    door: 'socket',
    method,
    path,
    query: new Map(),
    headers: {},
    readBody: () => Promise.resolve(body),
    remoteAddress: '',
    localAddress: '',
  } as const
  void server.api.handle(request, new AbortController().signal).then((given) => (answer = given))
  const isAnswered = await world.runUntil(() => answer !== undefined, soonMs)
  if (!isAnswered || answer === undefined) throw new Error(`${through.name} does not answer`)
  return { status: answer.status, value: answer.body.kind === 'json' ? answer.body.value : null }
}

/** Any machine that answers; the same one as long as it does. */
function anyone({ machines }: World): SimulatedMachine {
  const [first] = machines.filter(({ process }) => process?.server !== undefined)
  if (first === undefined) throw new Error('nobody serves')
  return first
}

/** As `ask`, of anyone; throws when it is refused. */
export async function told<T>(
  world: World,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const { status, value } = await ask(world, anyone(world), method, path, body)
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(value)}`)
  return value as T
}

export interface Program {
  /** Lines of `[Service]` in place of `Restart=always`. */
  readonly service?: string
  readonly flags?: string
  readonly image?: string
  readonly command?: string
}

/** A unit's file with these lines in `[X-Fleet]`. It hears SIGTERM, as it runs under an init. */
export function unitFile(rules: string, program: Program = {}): string {
  const {
    service = 'Restart=always',
    flags = '',
    image = 'busybox:jangada',
    command = '',
  } = program
  return `[Service]
${service}
TimeoutStopSec=2
ExecStart=/usr/bin/docker run --init ${flags} ${image} ${command}

[X-Fleet]
${rules}
`
}

export const submit = (world: World, name: string, file: string): Promise<unknown> =>
  told(world, 'PUT', `/v1/units/${name}`, { file })

/** Submits the unit, or an instance of a template that is there, and has it run. */
export const start = (world: World, name: string, file?: string): Promise<unknown> =>
  told(world, 'PUT', `/v1/units/${name}`, { ...(file && { file }), desired: 'launched' })

export const setDesired = (world: World, name: string, desired: string): Promise<unknown> =>
  told(world, 'POST', `/v1/units/${name}/state`, { desired })

export const destroy = (world: World, name: string): Promise<unknown> =>
  told(world, 'DELETE', `/v1/units/${name}`)

export const label = (
  world: World,
  machine: SimulatedMachine,
  metadata: Readonly<Record<string, string | null>>,
): Promise<unknown> => told(world, 'PATCH', `/v1/machines/${machine.id}`, { metadata })

export const why = (world: World, name: string): Promise<WhyAnswer> =>
  told(world, 'GET', `/v1/units/${name}/why`)

export async function rowsOf(world: World, name: string): Promise<UnitRow[]> {
  const { units } = await told<UnitsAnswer>(world, 'GET', '/v1/units')
  return units.filter((row) => row.name === name)
}

const unitOf = (labels: Readonly<Record<string, string>>): string => readLabels(labels)?.unit ?? ''

/** Names of the machines whose engines run it, one for each container. */
export const placesOf = (world: World, unit: string): string[] =>
  world.machines.flatMap(({ engine, name }) =>
    engine.running.flatMap(({ labels }) => (unitOf(labels) === unit ? [name] : [])),
  )

/** Units that run on `machine`, by what its engine says. */
export const unitsOn = ({ engine }: SimulatedMachine): string[] =>
  engine.running.map(({ labels }) => unitOf(labels)).toSorted()

/** Every running container and since when: the same again means that nothing was touched. */
export const running = (machines: readonly SimulatedMachine[]): string[] =>
  machines
    .flatMap(({ engine, name }) =>
      engine.running.map(
        ({ id, labels, startedAtMs }) =>
          `${unitOf(labels)} on ${name} since ${startedAtMs}: ${id.slice(0, 12)}`,
      ),
    )
    .toSorted()

/** Resolves once each of these runs exactly once; throws when that takes too long. */
export async function runOnce(world: World, ...units: readonly string[]): Promise<void> {
  const isSo = (): boolean => units.every((unit) => placesOf(world, unit).length === 1)
  if (await world.runUntil(isSo, soonMs)) return
  const found = units.map(
    (unit) => `${unit} on ${placesOf(world, unit).join(' and ') || 'nothing'}`,
  )
  throw new Error(`not once each: ${found.join(', ')}`)
}

/** Who does not lead, in the order of their numbers. */
export const followersOf = (world: World): SimulatedMachine[] =>
  world.machines.filter((machine) => machine !== world.leader?.machine)
