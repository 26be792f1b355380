import type { KvItem, KvListAnswer } from '../../../node/api/kv-answers.ts'
import { type Arguments, type Command, nodeOptions, tableOptions } from '../command.ts'
import {
  queryOf,
  readHint,
  readOptions,
  readQuery,
  tellAge,
  valueText,
  wholeNumber,
} from '../kv.ts'
import { type NodeClient, openNode } from '../node-client.ts'
import { type Column, printJson, printTable } from '../table.ts'

const columns: readonly Column<KvItem>[] = [
  { name: 'key', cell: ({ key }) => key },
  { name: 'version', cell: ({ version }) => String(version) },
  { name: 'revision', cell: ({ modRevision }) => String(modRevision) },
  { name: 'created', isExtra: true, cell: ({ createRevision }) => String(createRevision) },
  { name: 'lease', isExtra: true, cell: ({ lease }) => lease ?? '' },
  { name: 'value', isExtra: true, cell: valueText },
]

export const command: Command = {
  synopsis: 'kv ls [PREFIX]',
  about:
    'Lists the keys that begin with PREFIX, or all, as of one revision. --full shows values too.\n' +
    'Keys of the system are listed only for a PREFIX of theirs, such as /jangada/units/, and take\n' +
    'the scope admin.',
  words: { min: 0, max: 1 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    ...readOptions,
    limit: { type: 'number', requiresArg: true, describe: 'At most this many keys' },
  },
  examples: [
    ['kv ls app/', ''],
    ['kv ls --fields=key,value --no-legend', 'for a script'],
  ],
  run: async (args, environment) => {
    const answer = await readPages(openNode(args, environment), args).catch((error: unknown) => {
      throw readHint(error, args)
    })
    tellAge(environment, answer)
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.items)
    return 0
  },
}

/** Page by page, all as of the revision of the first. */
async function readPages(node: NodeClient, args: Arguments): Promise<KvListAnswer> {
  const [prefix = ''] = args.words
  const limit = wholeNumber(args, 'limit') ?? Infinity
  const fields = args.text('fields') ?? ''
  const wantsValues = args.flag('full') || args.flag('json') || fields.includes('value')
  const items: KvItem[] = []
  const asked = { prefix, ...readQuery(args), keysOnly: wantsValues ? undefined : 1 }
  let query: Record<string, string | number | undefined> = asked
  for (;;) {
    const left = Math.min(1000, limit - items.length)
    const after = items.at(-1)?.key
    const page = await node.get<KvListAnswer>(`/v1/kv${queryOf({ ...query, after, limit: left })}`)
    items.push(...page.items)
    const isDone = !page.more || page.items.length === 0 || items.length >= limit
    if (isDone) return { ...page, items }
    query = { ...query, revision: page.revision }
  }
}
