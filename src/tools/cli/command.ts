/** One command: what it takes, what `--help` says, and what it does. Parsed with yargs. */
import yargs, { type Options } from 'yargs'
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import { nearest } from '../../base/nearest.ts'
import type { CliEnvironment } from './environment.ts'

export interface Command {
  /** After `jangada `: `start NAME|FILE…`. */
  readonly synopsis: string
  /** What it does, in whole sentences. */
  readonly about: string
  readonly words: { readonly min: number; readonly max: number }
  readonly options: Readonly<Record<string, Options>>
  readonly examples: readonly (readonly [command: string, what: string])[]
  /** The exit code. */
  readonly run: (args: Arguments, environment: CliEnvironment) => Promise<number>
}

export const anyNumber = Infinity

/** Of every command that asks a node. */
export const nodeOptions: Readonly<Record<string, Options>> = {
  endpoint: {
    type: 'string',
    requiresArg: true,
    describe: 'Node to ask: https://HOST[:7381] or unix:///PATH; also JANGADA_ENDPOINT',
  },
  token: {
    type: 'string',
    requiresArg: true,
    describe: 'API token (A1.…) for an https endpoint; also JANGADA_TOKEN',
  },
  json: { type: 'boolean', describe: 'Print JSON' },
}

/** Of every command that prints a table. */
export const tableOptions: Readonly<Record<string, Options>> = {
  full: { alias: 'l', type: 'boolean', describe: 'Whole ids and every column' },
  legend: {
    type: 'boolean',
    default: true,
    describe: 'Column titles; --no-legend leaves them out',
  },
  fields: { type: 'string', requiresArg: true, describe: 'Columns, in order: --fields=a,b' },
}

/** The parsed command line. Its readers assert the type that the options declare. */
export class Arguments {
  readonly words: readonly string[]
  readonly #values: Readonly<Record<string, unknown>>

  constructor(words: readonly string[], values: Readonly<Record<string, unknown>>) {
    this.words = words
    this.#values = values
  }

  flag(name: string): boolean {
    return this.#values[name] === true
  }

  /** As `flag`; undefined when neither --NAME nor --no-NAME was given. */
  choice(name: string): boolean | undefined {
    const value = this.#values[name]
    return typeof value === 'boolean' ? value : undefined
  }

  /** The last, when it was given more than once. */
  text(name: string): string | undefined {
    const given = this.#values[name]
    const value: unknown = Array.isArray(given) ? given.at(-1) : given
    assert(value === undefined || typeof value === 'string', `--${name} is a text`)
    return value
  }

  number(name: string): number | undefined {
    const given = this.#values[name]
    const value: unknown = Array.isArray(given) ? given.at(-1) : given
    assert(value === undefined || typeof value === 'number', `--${name} is a number`)
    if (value !== undefined && !Number.isFinite(value)) throw usage(`--${name} takes a number`)
    return value
  }

  /** Every value, in the order given. */
  list(name: string): readonly string[] {
    const given = this.#values[name] ?? []
    return (Array.isArray(given) ? given : [given]).map(String)
  }
}

export const usage = (message: string, hint?: string): JangadaError =>
  new JangadaError('JGD_USAGE', message, hint === undefined ? {} : { hint })

/**
 * yargs names options without their dashes or a `no-`, those of two words in two ways, and a wrong choice
 * over two lines.
 */
function inOurWords(message: string, argv: readonly string[], known: readonly string[]): string {
  const unknown = /^Unknown arguments?: (.+)$/.exec(message)?.[1]
  if (unknown !== undefined) {
    const typed = new Set(argv.map((word) => word.replace(/=.*$/s, '')))
    const options = unknown.split(', ').map((name) => {
      const negated = `--no-${name}`
      return typed.has(negated) && !typed.has(`--${name}`) ? negated : dashed(name)
    })
    const asTyped = options.filter((option) => typed.has(option))
    const told = asTyped.length > 0 ? asTyped : options
    const meant = told.flatMap((option) => nearest(option.replace(/^--?(no-)?/, ''), known) ?? [])
    const hint = meant.length === 0 ? '' : `; did you mean ${meant.map(dashed).join(', ')}?`
    return `there is no option ${told.join(', ')}${hint}`
  }
  const lone = /^Not enough arguments following: (\S+)$/.exec(message)?.[1]
  if (lone !== undefined) return `${dashed(lone)} needs a value`
  const choice = /^Invalid values:\s+Argument: (\S+), Given: (".*"), Choices: (.+)$/.exec(message)
  if (choice === null) return message
  const [, option = '', given = '', choices = ''] = choice
  return `${dashed(option)} is one of ${choices.replaceAll('"', '')}; not ${given}`
}

const dashed = (option: string): string => (option.length === 1 ? `-${option}` : `--${option}`)

/** What was asked: to run with these, or for the help text. */
export type Parsed =
  | { readonly kind: 'run'; readonly args: Arguments }
  | { readonly kind: 'help'; readonly text: string }

/** Throws JGD_USAGE. */
export function parseArguments(name: string, command: Command, argv: readonly string[]): Parsed {
  let output = ''
  const parser = yargs([])
    .scriptName('jangada')
    .detectLocale(false)
    .usage(`jangada ${command.synopsis}\n\n${command.about}`)
    .options(command.options)
    .example(command.examples.map(([line, what]) => [`jangada ${line}`, what]))
    .parserConfiguration({ 'parse-positional-numbers': false, 'duplicate-arguments-array': true })
    .wrap(100)
    .version(false)
    .help('help')
    .alias('help', 'h')
    .strictOptions()
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      throw usage(
        message === '' ? String(error) : inOurWords(message, argv, Object.keys(command.options)),
        `jangada ${name} --help`,
      )
    })
  const values = parser.parseSync(argv, {}, (_error: unknown, _argv: unknown, text: string) => {
    output = text
  })
  if (values['help'] === true) return { kind: 'help', text: `${output}\n` }
  const words = values._.map(String)
  if (words.length < command.words.min || words.length > command.words.max) {
    throw usage(`usage: jangada ${command.synopsis}`, `jangada ${name} --help`)
  }
  return { kind: 'run', args: new Arguments(words, values) }
}
