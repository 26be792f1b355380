import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { overOf, startOver } from '../starting-again.ts'
import {
  finish,
  launched,
  replaceOption,
  submitAll,
  waitOptions,
  wantedUnits,
} from '../unit-changes.ts'

export const command: Command = {
  synopsis: 'start NAME|FILE…',
  about:
    'Runs units: the cluster chooses a machine for each by its rules and starts its container\n' +
    'there. A word that is a file is submitted first. Waits until every unit runs, or says which\n' +
    'one does not and why; global units, which run on every machine, are not waited for. One that\n' +
    'has failed, or come to its end, is started again.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...replaceOption, ...waitOptions },
  examples: [
    ['start web.service', 'a unit, or the file of that name'],
    ['start hello@{1..6}', 'six instances of the template hello@.service'],
    ['start ./hello@{1..6}.service', 'the same, with the template from a file'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const wanted = await wantedUnits(environment, args.words)
    const over = await overOf(
      node,
      wanted.map(({ name }) => name),
    )
    const changed = await submitAll(node, wanted, 'launched', args.flag('replace'))
    await startOver(args, environment, node, changed, over)
    return finish(environment, args, node, changed, launched)
  },
}
