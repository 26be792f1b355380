import type { UnitWritten } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { destroyed, lostRows, unlessLost } from '../endings.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'
import { each, reportFailures, waitFor, waitOptions } from '../unit-changes.ts'
import { knownNames } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'destroy NAME…',
  about:
    'Forgets units: their files go at once, and the machines stop and remove their containers,\n' +
    'which is waited for; of global units it is not. Destroying a template leaves its instances alone.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...waitOptions },
  examples: [
    ['destroy web', 'web.service'],
    ["destroy 'hello@*'", 'every unit of that pattern, the template too'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const names = await knownNames(node, args.words, { templates: true })
    const lost = await lostRows(node, names)
    const changed = await each(
      names.map((name) => ({ name })),
      ({ name }) => node.call<UnitWritten>('DELETE', `/v1/units/${segment(name)}`),
    )
    const isJson = args.flag('json')
    const isAwaited = ({ isTemplate, isGlobal }: UnitWritten): boolean =>
      args.flag('block') && !isTemplate && !isGlobal
    for (const written of changed.done) {
      if (!isJson && !isAwaited(written)) environment.stdout(`Destroyed ${written.name}\n`)
    }
    const awaited = changed.done.filter(isAwaited).map(({ name }) => name)
    const ok =
      awaited.length === 0 ||
      (await waitFor(environment, args, node, {
        names: awaited,
        outcome: unlessLost(lost, destroyed),
        next: 'jangada units',
      }))
    if (isJson) {
      const failed = changed.failed.map(({ name, error }) => ({ name, error: error.toBody() }))
      printJson(environment, { destroyed: changed.done.map(({ name }) => name), failed })
    } else reportFailures(environment, changed)
    return ok && changed.failed.length === 0 ? 0 : 1
  },
}
