/**
 * What `[X-Fleet]` says here beyond fleet: which of the machines that may run the unit is the best, and
 * what the unit reserves there. fleet's own keys are in `placement.ts`.
 */
import type { Needs } from '../../base/room.ts'
import { cut, parseBytes, parseInteger, parseNanoCpus } from './docker-values.ts'
import { type Report, valuesOf } from './placement.ts'
import { valuesOfKey } from './service.ts'
import type { LocatedOption, ParsedUnitName, PlacementRules } from './types.ts'

export const choiceKeys: readonly string[] = [
  'Spread',
  'Prefer',
  'Strategy',
  'Priority',
  'Memory',
  'Cpus',
  'MinAvailable',
]

const weightMax = 100
const defaultWeight = 50
/** Of each of `Spread=` and `Prefer=`: every plan weighs them for every machine. */
const wishesMax = 16

const instancesMax = 10_000
const priorityMax = 100
/** Nomad's default. */
const defaultPriority = 50

/** Keys that came later than the others here. */
export const lateChoiceKeys: readonly string[] = ['MinAvailable']

type Choice = Pick<PlacementRules, 'spread' | 'prefer' | 'strategy' | 'priority' | 'minAvailable'>

export function readChoice(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  report: Report,
): Choice {
  const read = (key: string): { value: string; line: number }[] =>
    valuesOfKey(options, 'X-Fleet', key).flatMap((option) =>
      (valuesOf(option, name, report) ?? []).map((value) => ({ value, line: option.line })),
    )
  const spread = read('Spread').map(({ value, line }) => {
    if (/[=\s]/.test(value)) report(line, `Spread=${value}: write the name of a label`)
    return value
  })
  const prefer = read('Prefer').flatMap(({ value, line }) => {
    const wish = readWish(value)
    if (wish !== undefined) return [wish]
    const range = `-${weightMax} to ${weightMax}`
    report(
      line,
      `Prefer=${value}: write label=value:weight, the weight a whole number from ${range}`,
    )
    return []
  })
  const [strategy] = read('Strategy').slice(-1)
  const isPack = strategy?.value === 'pack'
  if (strategy !== undefined && !isPack && strategy.value !== 'spread') {
    report(strategy.line, `Strategy=${strategy.value}: write spread or pack`)
  }
  const first = options.find(({ section }) => section === 'X-Fleet')?.line ?? 0
  if (spread.length > wishesMax || prefer.length > wishesMax) {
    report(first, `[X-Fleet]: at most ${wishesMax} of Spread= and of Prefer=`)
  }
  const [priority] = read('Priority').slice(-1)
  const rank =
    priority === undefined ? defaultPriority : parseInteger(priority.value, 0, priorityMax)
  if (priority !== undefined && rank === undefined) {
    report(
      priority.line,
      `Priority=${priority.value}: write a whole number from 0 to ${priorityMax}`,
    )
  }
  return {
    spread,
    prefer,
    strategy: isPack ? 'pack' : 'spread',
    priority: rank ?? defaultPriority,
    minAvailable: readMinAvailable(read('MinAvailable').at(-1), report),
  }
}

function readMinAvailable(
  option: { readonly value: string; readonly line: number } | undefined,
  report: Report,
): number {
  if (option === undefined) return 0
  const count = parseInteger(option.value, 0, instancesMax)
  if (count !== undefined) return count
  report(
    option.line,
    `MinAvailable=${option.value}: write a whole number from 0 to ${instancesMax}`,
  )
  return 0
}

/** `disk=ssd:50`; without a weight it is 50. */
function readWish(text: string): PlacementRules['prefer'][number] | undefined {
  const [key, rest = ''] = cut(text, '=')
  const colon = rest.lastIndexOf(':')
  const value = colon < 0 ? rest : rest.slice(0, colon)
  const weight =
    colon < 0 ? defaultWeight : parseInteger(rest.slice(colon + 1), -weightMax, weightMax)
  return key === '' || value === '' || weight === undefined ? undefined : { key, value, weight }
}

/** `needs`, but for what the section says itself: a reservation without a limit on the container. */
export function readNeeds(options: readonly LocatedOption[], needs: Needs, report: Report): Needs {
  const read = (
    key: 'Memory' | 'Cpus',
    parse: (text: string) => number | undefined,
    example: string,
  ): number | undefined => {
    const option = valuesOfKey(options, 'X-Fleet', key).at(-1)
    if (option === undefined) return undefined
    const amount = parse(option.value)
    if (amount === undefined) report(option.line, `${key}=${option.value}: write ${example}`)
    return amount
  }
  return {
    ...needs,
    memoryBytes: read('Memory', parseBytes, 'a size, such as 512m') ?? needs.memoryBytes,
    nanoCpus: read('Cpus', parseNanoCpus, 'a number of processors, such as 1.5') ?? needs.nanoCpus,
  }
}
