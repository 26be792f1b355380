import { isJangadaError } from '../../../base/errors.ts'
import type { VersionAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'version',
  about:
    'The version of this program and, when a node answers, of that node. `--version` alone\nasks no node.',
  words: { min: 0, max: 0 },
  options: nodeOptions,
  examples: [],
  run: async (args, environment) => {
    let node: VersionAnswer | null = null
    try {
      node = await openNode(args, environment).get<VersionAnswer>('/v1/version')
    } catch (error) {
      if (!isJangadaError(error, 'JGD_UNREACHABLE')) throw error
    }
    if (args.flag('json')) printJson(environment, { client: environment.version, node })
    else {
      environment.stdout(`client ${environment.version}\n`)
      environment.stdout(node === null ? 'no node answers here\n' : `node   ${node.version}\n`)
    }
    return 0
  },
}
