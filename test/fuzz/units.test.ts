/** Unit files come from outside: no text may break the parser, hang it, or pass half understood. */
import fc from 'fast-check'
import t from 'tap'
import { dockerFlags } from '../../src/core/units/docker-flags.ts'
import { parseEnvironmentFile, parseKeyValueFile } from '../../src/core/units/environment.ts'
import { acceptedKeys } from '../../src/core/units/keys.ts'
import { expandNames, parseUnitName } from '../../src/core/units/names.ts'
import { formatOptions, parseOptions, unitHash } from '../../src/core/units/options.ts'
import { parseTimeSpan } from '../../src/core/units/time-span.ts'
import { parseUnit } from '../../src/core/units/unit.ts'
import { splitWords } from '../../src/core/units/words.ts'
import { onMachine } from '../core/units/helpers.ts'

/** Enough to meet every branch, few enough for each test run. */
const runs = { numRuns: 1500 }

const anyText = fc.string({ unit: 'binary', maxLength: 200 })
const noise = fc.string({ unit: 'grapheme-ascii', maxLength: 12 })
const piece = fc.oneof(
  noise,
  fc.constantFrom('%n', '%i', '%H', '%m', '%', '${A}', '$A', '$', '${', '\\', '"', "'", '=', ':'),
  fc.constantFrom(
    '1',
    '0',
    '-1',
    '80:80',
    '/a:/b',
    'busybox',
    '64m',
    '10.0.0.1',
    '::1',
    'a=b',
    ',',
  ),
)
const word = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''))
const flag = fc
  .tuple(fc.constantFrom(...dockerFlags), word, fc.boolean())
  .map(([{ name }, value, joined]) => `--${name}${joined ? '=' : ' '}${value}`)
const runLine = fc
  .array(fc.oneof(flag, word, fc.constant('-it')), { maxLength: 8 })
  .map((words) => `ExecStart=docker run ${words.join(' ')} busybox`)
const setting = fc
  .tuple(fc.constantFrom(...Object.values(acceptedKeys).flat()), word)
  .map(([key, value]) => `${key}=${value}`)
const section = fc.constantFrom(...Object.keys(acceptedKeys)).map((name) => `[${name}]`)
const line = fc.oneof(setting, setting, section, anyText, fc.constant('ExecStartPre=docker rm a'))
const file = fc
  .tuple(fc.array(line, { maxLength: 12 }), runLine)
  .map(([lines, run]) => [...lines, '[Service]', run].join('\n'))
const unitName = fc.constantFrom('web.service', 'web@.service', 'web@1.service')

t.test('any text is a unit or has its problems told, always the same', async () => {
  fc.assert(
    fc.property(unitName, fc.oneof(anyText, file), (name, text) => {
      const result = parseUnit(name, text)
      if (JSON.stringify(parseUnit(name, text)) !== JSON.stringify(result)) return false
      if (!result.ok) return result.problems.length > 0 && result.problems.length <= 50
      const again = parseOptions(formatOptions(result.options))
      if (!again.ok || unitHash(again.options) !== unitHash(result.options)) return false
      if (name === 'web@.service') return true
      // Whatever the machine's files say, there is an answer, and no third round of questions.
      const first = onMachine(result.spec)
      if (first.kind !== 'needs-files') return true
      const given = Object.fromEntries(first.paths.map((path) => [path, 'A=--init /x\n']))
      const second = onMachine(result.spec, given)
      if (second.kind !== 'needs-files') return true
      const more = Object.fromEntries(second.paths.map((path) => [path, null]))
      return onMachine(result.spec, { ...given, ...more }).kind !== 'needs-files'
    }),
    runs,
  )
})

t.test('what passes at submit without files starts on the machine', async (t) => {
  let accepted = 0
  fc.assert(
    fc.property(runLine, (run) => {
      const result = parseUnit('web.service', `[Service]\n${run}`)
      if (!result.ok) return true
      accepted += 1
      return onMachine(result.spec).kind !== 'problem'
    }),
    runs,
  )
  t.ok(accepted > 0, `${accepted} lines were accepted, so this says something`)
})

t.test('words written with quotes are read back', async () => {
  const clean = fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(clean), (words) => {
      const text = words.map((one) => `"${one.replace(/[\\"]/g, '\\$&')}"`).join(' ')
      const split = splitWords(text)
      return split.ok && JSON.stringify(split.words) === JSON.stringify(words)
    }),
    runs,
  )
})

t.test('the small parsers take any text', async () => {
  fc.assert(
    fc.property(anyText, (text) => {
      parseEnvironmentFile(text)
      parseKeyValueFile(text, () => undefined)
      parseTimeSpan(text)
      parseUnitName(text)
      expandNames(text)
      splitWords(text)
    }),
    runs,
  )
})
