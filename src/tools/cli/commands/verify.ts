import { unitHash } from '../../../core/units/options.ts'
import type { UnitProblem } from '../../../core/units/types.ts'
import { parseUnit } from '../../../core/units/unit.ts'
import { anyNumber, type Command, usage } from '../command.ts'
import { printJson } from '../table.ts'
import { unitOfFile } from '../unit-names.ts'

export const command: Command = {
  synopsis: 'verify FILE…',
  about:
    'Reads unit files as the cluster would and says what is wrong with each, file, line and reason.\n' +
    'Asks no node and changes nothing.',
  words: { min: 1, max: anyNumber },
  options: { json: { type: 'boolean', describe: 'Print JSON' } },
  examples: [['verify web.service hello@.service', 'before they are submitted']],
  run: async (args, environment) => {
    const results = []
    for (const path of args.words) {
      const text = await environment.readFile(path)
      if (text === undefined) throw usage(`there is no file ${path}`)
      const parsed = parseUnit(unitOfFile(path), text, { file: path, isNew: true })
      results.push(
        parsed.ok
          ? { file: path, ok: true, hash: unitHash(parsed.options), problems: [] }
          : { file: path, ok: false, hash: null, problems: parsed.problems },
      )
    }
    const bad = results.filter(({ ok }) => !ok)
    if (args.flag('json')) printJson(environment, { files: results })
    else {
      for (const { file, hash, problems } of results) {
        if (hash !== null) environment.stdout(`${file}: a unit file, hash ${hash.slice(0, 7)}\n`)
        for (const problem of problems) environment.stderr(`${problemText(problem)}\n`)
      }
      if (bad.length > 0) environment.stderr('next: docs/units.md lists what a unit file may say\n')
    }
    return bad.length === 0 ? 0 : 1
  },
}

const problemText = ({ file, line, reason, code }: UnitProblem): string =>
  `${file}${line === 0 ? '' : `:${line}`}: ${reason} (${code})`
