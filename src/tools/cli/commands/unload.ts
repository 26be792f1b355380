import type { UnitWritten } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { lostRows, unlessLost, unloaded } from '../endings.ts'
import { each, finish, waitOptions } from '../unit-changes.ts'
import { knownNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'unload NAME…',
  about: 'Stops units and takes them off their machines. Their files stay in the cluster.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...waitOptions },
  examples: [['unload web', 'web.service']],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const names = await knownNames(node, args.words)
    const lost = await lostRows(node, names)
    const changed = await each(
      names.map((name) => ({ name })),
      ({ name }) =>
        node.call<UnitWritten>('POST', `/v1/units/${segment(name)}/state`, { desired: 'inactive' }),
    )
    return finish(environment, args, node, changed, unlessLost(lost, unloaded), 'jangada units')
  },
}
