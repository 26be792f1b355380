/** What the commands for keys and values share. */
import { fromBase64, utf8 } from '../../base/bytes.ts'
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import type { KvItem, KvRead } from '../../node/api/kv-answers.ts'
import { type Arguments, usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { segment } from './node-client.ts'

/** Of every command that reads keys. */
export const readOptions = {
  local: {
    type: 'boolean',
    describe: "Read the node's own copy, however old, without asking a quorum",
  },
  revision: { type: 'number', requiresArg: true, describe: 'As of this revision' },
} as const

/** Of every command that writes a value. */
export const valueOptions = {
  base64: { type: 'boolean', describe: 'VALUE is base64' },
  lease: { type: 'string', requiresArg: true, describe: 'The key ends with this lease' },
} as const

/** `?a=1&b=2`, without what is undefined. */
export function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${segment(String(value))}`],
  )
  return given.length === 0 ? '' : `?${given.join('&')}`
}

/** Without a quorum a read may still be had, of what one node has. */
export function readHint(error: unknown, args: Arguments): unknown {
  if (!isJangadaError(error, 'JGD_NO_QUORUM') || args.flag('local')) return error
  const hint = `${error.hint ?? 'see "jangada status"'}; --local reads what this node has, however old`
  return new JangadaError(error.code, error.message, { hint })
}

export const readQuery = (args: Arguments): Record<string, string | number | undefined> => ({
  consistency: args.flag('local') ? 'local' : undefined,
  revision: wholeNumber(args, 'revision'),
})

export const encodingOf = (args: Arguments): { readonly encoding?: 'base64' } =>
  args.flag('base64') ? { encoding: 'base64' } : {}

/** Undefined when the option was not given. Throws JGD_USAGE. */
export function wholeNumber(args: Arguments, name: string): number | undefined {
  const value = args.number(name)
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return value
  throw usage(`--${name} is a whole number from 1 on`)
}

export function bytesOf({ value = '', encoding }: KvItem): Uint8Array {
  return (encoding === 'base64' ? fromBase64(value) : undefined) ?? utf8(value)
}

/** For a table or a line: what is no text, or would break the line, is shown as JSON would. */
export function valueText({ value = '', encoding }: KvItem): string {
  if (encoding === 'base64') return `base64:${value}`
  // oxlint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(value) ? JSON.stringify(value) : value
}

/** A person who asked for a local read is told what they got. */
export function tellAge(environment: CliEnvironment, { consistency, staleForMs }: KvRead): void {
  if (consistency === 'linearizable') return
  environment.stderr(`jangada: this node's own copy; it heard of its leader ${staleForMs} ms ago\n`)
}
