import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'
import { replaceOption, reportFailures, submitAll, wantedUnits } from '../unit-changes.ts'

export const command: Command = {
  synopsis: 'submit FILE…',
  about:
    'Stores unit files in the cluster, without running anything. A file is read and checked\n' +
    'there: what it says and we do not understand is refused with file, line and reason. A unit\n' +
    'does not change once it is submitted; submitting the same content again is no error.\n' +
    'With --replace it replaces units that are inactive: `start --replace` those that run.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...replaceOption },
  examples: [
    ['submit web.service', 'one unit'],
    ["submit 'hello@.service'", 'a template, for jangada start hello@{1..6}'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const wanted = await wantedUnits(environment, args.words)
    const changed = await submitAll(node, wanted, undefined, args.flag('replace'))
    if (args.flag('json')) {
      const failed = changed.failed.map(({ name, error }) => ({ name, error: error.toBody() }))
      printJson(environment, { units: changed.done, failed })
    } else {
      for (const { name, created, replaced } of changed.done) {
        const what = created ? 'submitted' : replaced ? 'replaced' : 'is there as it is'
        environment.stdout(`Unit ${name} ${what}\n`)
      }
      reportFailures(environment, changed)
    }
    return changed.failed.length === 0 ? 0 : 1
  },
}
