import { JangadaError } from '../../../base/errors.ts'
import type { UnitAnswer, UnitsAnswer } from '../../../node/api/answers.ts'
import { type Arguments, anyNumber, type Command, nodeOptions } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { type NodeClient, openNode, segment } from '../node-client.ts'
import { launchAnew } from '../starting-again.ts'
import { printJson } from '../table.ts'
import { launched, waitFor, waitOptions } from '../unit-changes.ts'
import { knownNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'restart NAME…',
  about:
    'Stops and starts units where they are, one after the other: the next is touched when the one\n' +
    'before runs again, and none when it does not; with --no-block as soon as the one before has\n' +
    'stopped. Units that are not to run are an error.',
  words: { min: 1, max: anyNumber },
  options: {
    ...nodeOptions,
    ...waitOptions,
    block: {
      type: 'boolean',
      default: true,
      describe: 'Wait until each runs again; --no-block waits until it has stopped',
    },
  },
  examples: [
    ['restart web', 'web.service'],
    ["restart 'hello@*'", 'every instance, one at a time'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const names = await knownNames(node, args.words)
    for (const name of names) await check(node, name)
    let code = 0
    for (const name of names) {
      code = await restart(args, environment, node, name)
      if (code !== 0 || environment.signal.aborted) break
    }
    if (args.flag('json') && !environment.signal.aborted) {
      const { units } = await node.get<UnitsAnswer>('/v1/units')
      printJson(environment, {
        units: units.filter(({ name }) => names.includes(name)),
        failed: [],
      })
    }
    return code
  },
}

/** Before the first is touched. */
async function check(node: NodeClient, name: string): Promise<void> {
  const { desired, isGlobal, isTemplate } = await node.get<UnitAnswer>(`/v1/units/${segment(name)}`)
  if (isTemplate) {
    throw new JangadaError(
      'JGD_UNIT_IS_TEMPLATE',
      `${name} is a template, and templates do not run`,
      { hint: `its instances: jangada restart '${name.replace('@.service', '@*')}'` },
    )
  }
  if (isGlobal) {
    throw new JangadaError(
      'JGD_CONFLICT',
      `${name} is global: it would stop on every machine at once`,
      {
        hint: `where that may be: jangada stop ${name}, then jangada start ${name}`,
      },
    )
  }
  if (desired !== 'launched') {
    throw new JangadaError('JGD_CONFLICT', `${name} is ${desired}: there is nothing to restart`, {
      hint: `jangada start ${name}`,
    })
  }
}

async function restart(
  args: Arguments,
  environment: CliEnvironment,
  node: NodeClient,
  name: string,
): Promise<number> {
  const { hasStopped, told } = await launchAnew(args, environment, node, name)
  if (!hasStopped) {
    environment.stdout(told)
    return 1
  }
  if (args.flag('block')) {
    return (await waitFor(environment, args, node, { names: [name], outcome: launched })) ? 0 : 1
  }
  if (!args.flag('json')) environment.stdout(`Unit ${name} is to be launched\n`)
  return 0
}
