import type { ImageRow } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, printJson, printTable, sizeText } from '../table.ts'

const columns: readonly Column<ImageRow>[] = [
  { name: 'name', cell: ({ name }) => name },
  { name: 'version', cell: ({ version }) => version },
  { name: 'kernel', cell: ({ kernel }) => kernel },
  { name: 'size', cell: ({ bytes }) => sizeText(bytes) },
  { name: 'sha256', cell: ({ sha256 }, full) => (full ? sha256 : sha256.slice(0, 12)) },
]

const none = 'there is no image here yet: jangada image import FILE --sha256 HASH'

export const command: Command = {
  synopsis: 'image ls',
  about: 'Lists the system images that this node can boot blank machines with.',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const answer = await node.get<{ images: readonly ImageRow[] }>('/v1/images')
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.images, { none })
    return 0
  },
}
