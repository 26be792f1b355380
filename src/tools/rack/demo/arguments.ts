/** What `npm start -- …` may be told. */
import { JangadaError } from '../../../base/errors.ts'
import { checkRackName, defaultRackName } from '../names.ts'

export interface DemoArguments {
  /** Leaves the rack up at the end, and says how to talk to it. */
  readonly keep: boolean
  /** With the blank machine: steps g and h. */
  readonly blank: boolean
  /** Where to write `{"steps":[{"name","ok","seconds"}]}`. */
  readonly json: string | undefined
  readonly rack: string
}

const usage = 'npm start -- [--keep] [--no-blank] [--json FILE] [--rack NAME]'

/** Throws JGD_USAGE. */
export function parseDemoArguments(args: readonly string[]): DemoArguments {
  let parsed: DemoArguments = { keep: false, blank: true, json: undefined, rack: defaultRackName }
  const words = [...args]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--keep') parsed = { ...parsed, keep: true }
    else if (word === '--no-blank') parsed = { ...parsed, blank: false }
    else if (word === '--json') parsed = { ...parsed, json: valueOf(word, words.shift()) }
    else if (word === '--rack') {
      parsed = { ...parsed, rack: checkRackName(valueOf(word, words.shift())) }
    } else throw new JangadaError('JGD_USAGE', `unknown argument ${word}`, { hint: usage })
  }
  return parsed
}

function valueOf(word: string, value: string | undefined): string {
  if (value !== undefined) return value
  throw new JangadaError('JGD_USAGE', `${word} needs a value`, { hint: usage })
}
