import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import {
  finish,
  loaded,
  replaceOption,
  submitAll,
  waitOptions,
  wantedUnits,
} from '../unit-changes.ts'

export const command: Command = {
  synopsis: 'load NAME|FILE…',
  about:
    'Gives units a machine by their rules, without starting them. `start` then starts them there.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...replaceOption, ...waitOptions },
  examples: [['load web.service', 'chooses a machine for it']],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const wanted = await wantedUnits(environment, args.words)
    const changed = await submitAll(node, wanted, 'loaded', args.flag('replace'))
    return finish(environment, args, node, changed, loaded)
  },
}
