import { anyNumber, type Command, nodeOptions, usage } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { metadataText, printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'metadata MACHINE KEY=VALUE…',
  about:
    'Labels a machine; units ask for labels with MachineMetadata=. `KEY=` takes a label away.\n' +
    'Units that no longer fit where they are move.',
  words: { min: 2, max: anyNumber },
  options: nodeOptions,
  examples: [['metadata n2 disk=ssd zone=', 'one label set, one taken away']],
  run: async (args, environment) => {
    const [machine = '', ...labels] = args.words
    const metadata = labels.map((label): [string, string | null] => {
      const equals = label.indexOf('=')
      if (equals < 1) throw usage(`${label}: write KEY=VALUE`, 'jangada metadata n2 disk=ssd')
      const value = label.slice(equals + 1)
      return [label.slice(0, equals), value === '' ? null : value]
    })
    const node = openNode(args, environment)
    const answer = await node.call<{ name: string; metadata: Record<string, string> }>(
      'PATCH',
      `/v1/machines/${segment(machine)}`,
      { metadata: Object.fromEntries(metadata) },
    )
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`${answer.name}: ${metadataText(answer.metadata) || 'no metadata'}\n`)
    return 0
  },
}
