import type { KvQuotaAnswer } from '../../../node/api/kv-answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { openNode } from '../node-client.ts'
import { agoText, formatColumns, printJson, sizeText } from '../table.ts'

const units: Readonly<Record<string, number>> = {
  MiB: 1_048_576,
  GiB: 1_073_741_824,
}

export const command: Command = {
  synopsis: 'kv quota [SIZE]',
  about:
    "Shows how full the store is, or sets how full it may get. A part is kept free for the system's\n" +
    'own keys. When users have no room left, writes that need more are refused (JGD_STORE_FULL) and\n' +
    'an alarm stands until there is room again; deletes always go.',
  words: { min: 0, max: 1 },
  options: nodeOptions,
  examples: [
    ['kv quota', ''],
    ['kv quota 2GiB', 'every member holds all of it in memory'],
  ],
  run: async (args, environment) => {
    const [size] = args.words
    const node = openNode(args, environment)
    const path = '/v1/kv/quota'
    const answer =
      size === undefined
        ? await node.get<KvQuotaAnswer>(path)
        : await node.call<KvQuotaAnswer>('PUT', path, { quotaBytes: bytesOf(size) })
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(textOf(answer, environment.wallMs()))
    return 0
  },
}

function bytesOf(text: string): number {
  const match = /^(\d{1,6})(MiB|GiB)$/.exec(text)
  const unit = units[match?.[2] ?? '']
  if (unit === undefined) throw usage(`${text}: write a size such as 512MiB or 2GiB`)
  return Number(match?.[1]) * unit
}

function textOf(answer: KvQuotaAnswer, nowMs: number): string {
  const { usedBytes, quotaBytes, reserveBytes, fullSinceMs } = answer
  const rows = [
    ['used', sizeText(usedBytes)],
    ['quota', sizeText(quotaBytes)],
    ['for the system alone', sizeText(reserveBytes)],
    ['full', fullSinceMs === null ? 'no' : `since ${agoText(fullSinceMs, nowMs)}`],
  ]
  return `${formatColumns(rows).join('\n')}\n`
}
