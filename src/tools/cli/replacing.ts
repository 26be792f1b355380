/** What `submit --replace` and `load --replace` may not do: start or stop a unit that people run. */
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import { parseUnitName } from '../../core/units/names.ts'
import { parseOptions, unitHash } from '../../core/units/options.ts'
import type { UnitAnswer } from '../../node/api/answers.ts'
import { type NodeClient, segment } from './node-client.ts'
import type { Desired } from './unit-changes.ts'

const ranks: Readonly<Record<Desired, number>> = { inactive: 0, loaded: 1, launched: 2 }

/**
 * As fleetctl, whose `submit` replaces inactive units alone, and whose `load` those that are not launched:
 * the others would start anew, or stop. The same content replaces nothing. Throws JGD_CONFLICT.
 */
export async function requireReplaceable(
  node: NodeClient,
  name: string,
  file: string | undefined,
  command: 'submit' | 'load',
): Promise<void> {
  const unit = await unitOf(node, name)
  const most = command === 'submit' ? 'inactive' : 'loaded'
  if (unit === undefined || ranks[unit.desired] <= ranks[most]) return
  const parsed = parseUnitName(name)
  const template = parsed.ok ? parsed.name.templateName : undefined
  const text = file ?? (template && (await unitOf(node, template))?.file)
  if (text === undefined || isSame(text, unit.file)) return
  const fitting = unit.desired === 'launched' ? 'start' : 'load'
  throw new JangadaError(
    'JGD_CONFLICT',
    `${name} is ${unit.desired}; ${command} replaces no such unit`,
    {
      hint: `jangada ${fitting} --replace ${name}, or first: jangada unload ${name}`,
    },
  )
}

async function unitOf(node: NodeClient, name: string): Promise<UnitAnswer | undefined> {
  try {
    return await node.get<UnitAnswer>(`/v1/units/${segment(name)}`)
  } catch (error) {
    if (isJangadaError(error, 'JGD_UNIT_UNKNOWN')) return undefined
    throw error
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [parseOptions(one), parseOptions(other)]
  return a.ok && b.ok && unitHash(a.options) === unitHash(b.options)
}
