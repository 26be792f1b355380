import { JangadaError } from '../../../base/errors.ts'
import type { UnitAnswer, UnitWritten } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { stopped } from '../endings.ts'
import { each, finish, waitOptions } from '../unit-changes.ts'
import { knownNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'stop NAME…',
  about:
    'Stops units where they are; each keeps its machine, and `start` runs it there again.\n' +
    'A unit that is not loaded has nothing to stop, which is an error.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...waitOptions },
  examples: [
    ['stop web', 'web.service'],
    ["stop 'hello@*'", 'every unit of that pattern'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const names = await knownNames(node, args.words)
    const changed = await each(
      names.map((name) => ({ name })),
      async ({ name }) => {
        const path = `/v1/units/${segment(name)}`
        const { desired } = await node.get<UnitAnswer>(path)
        if (desired === 'inactive') {
          throw new JangadaError('JGD_CONFLICT', `${name} is inactive: there is nothing to stop`, {
            hint: `what there is to stop: jangada units; to run it: jangada start ${name}`,
          })
        }
        return node.call<UnitWritten>('POST', `${path}/state`, { desired: 'loaded' })
      },
    )
    return finish(environment, args, node, changed, stopped, 'jangada units')
  },
}
