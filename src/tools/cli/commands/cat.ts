import type { UnitAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'
import { fullNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'cat NAME',
  about: 'Prints a unit file as it was submitted.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['cat hello@1', "the instance's file, which is its template's"]],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const [name = ''] = fullNames(args.words)
    const unit = await node.get<UnitAnswer>(`/v1/units/${segment(name)}`)
    if (args.flag('json')) printJson(environment, unit)
    else environment.stdout(unit.file.endsWith('\n') ? unit.file : `${unit.file}\n`)
    return 0
  },
}
