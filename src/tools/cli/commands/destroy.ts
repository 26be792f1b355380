import type { UnitWritten } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'
import { each, reportFailures } from '../unit-changes.ts'
import { knownNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'destroy NAME…',
  about:
    'Forgets units: their files go at once, and the machines stop and remove their containers.\n' +
    'Destroying a template leaves its instances alone.',
  words: { min: 1, max: anyNumber },
  options: nodeOptions,
  examples: [
    ['destroy web', 'web.service'],
    ["destroy 'hello@*'", 'every unit of that pattern, the template too'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const names = await knownNames(node, args.words, { templates: true })
    const changed = await each(
      names.map((name) => ({ name })),
      ({ name }) => node.call<UnitWritten>('DELETE', `/v1/units/${segment(name)}`),
    )
    if (args.flag('json')) {
      const failed = changed.failed.map(({ name, error }) => ({ name, error: error.toBody() }))
      printJson(environment, { destroyed: changed.done.map(({ name }) => name), failed })
    } else {
      for (const { name } of changed.done) environment.stdout(`Destroyed ${name}\n`)
      reportFailures(environment, changed)
    }
    return changed.failed.length === 0 ? 0 : 1
  },
}
