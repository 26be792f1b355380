import t from 'tap'
import { present } from '../../../src/base/assert.ts'
import { parseEnvironmentFile } from '../../../src/core/units/environment.ts'
import { parseTimeSpan } from '../../../src/core/units/time-span.ts'
import { splitWords } from '../../../src/core/units/words.ts'
import { containerOf, refusals, specOf } from './helpers.ts'

t.test('quotes and escapes', async (t) => {
  for (const [text, words] of [
    ['a  b\tc', ['a', 'b', 'c']],
    [`'a b' "c d"`, ['a b', 'c d']],
    [`a'b c'd`, ['ab cd']],
    [`'' ""`, ['', '']],
    ['a\\sb \\x41 \\101 \\u00e9 \\U0001F600', ['a b', 'A', 'A', 'é', '😀']],
    [`"a\\"b" 'c\\'d'`, ['a"b', "c'd"]],
    ['\\d+ \\.', ['\\d+', '\\.']],
    [`"it's"`, ["it's"]],
  ] as const) {
    t.same(splitWords(text), { ok: true, words }, text)
  }
  for (const text of ['"a', "b 'c", 'a\\', '\\x00']) t.notOk(splitWords(text).ok, text)
})

/** The command of a container whose line ends in `tail`. */
const command = (tail: string, ...lines: readonly string[]): readonly string[] | undefined =>
  containerOf(specOf(['[Service]', ...lines, `ExecStart=docker run b x ${tail}`].join('\n'))).Cmd

t.test('variables follow the rules of systemd', async (t) => {
  const lines = ['Environment=ONE=1 "TWO=a  b" EMPTY= \'QUOTED="c d" e\'']
  t.same(command('$TWO', ...lines), ['x', 'a', 'b'], 'a bare one splits')
  t.same(command('"$TWO"', ...lines), ['x', 'a', 'b'], 'quotes in the file do not hold it together')
  t.same(command('${TWO}', ...lines), ['x', 'a  b'], 'a braced one does not split')
  t.same(command('a${ONE}b${ONE}', ...lines), ['x', 'a1b1'])
  t.same(command('$EMPTY ${EMPTY} $UNSET ${UNSET}', ...lines), ['x', '', ''])
  t.same(command('$QUOTED', ...lines), ['x', 'c d', 'e'], 'quotes in the value hold it together')
  t.same(command('$$ONE $${ONE} a$$ $ a$', ...lines), ['x', '$ONE', '${ONE}', 'a$', '$', 'a$'])
})

t.test('what systemd would take for something odd is refused', async (t) => {
  const of = (tail: string): readonly string[] =>
    refusals(`[Service]\nExecStart=docker run b ${tail}`)
  t.match(of('a$ONE'), [/^2: .*write \$\{ONE\}/])
  t.match(of('$ONE/x'), [/^2: .*write \$\{ONE\}/])
  t.match(of('${ONE:-x}'), [/^2: .*a variable's name alone/])
  t.match(of('%h'), [/^2: .*%h: understood are/])
  t.match(of('a ; docker run c'), [/^2: .*one command a line/])
})

t.test('environment files as systemd reads them', async (t) => {
  const text = [
    '# comment',
    '; comment',
    'A=1',
    ' B = spaced  ',
    'C="two words"  ',
    "D='single $ \\ kept'",
    'E="a\\"b\\\\c\\d"',
    'F=one\\',
    'two',
    'G="over',
    'lines"',
    'H=a"b c"d',
    'nonsense',
    '1X=bad name',
    'I=',
    'export J=1',
    'K=a#b',
  ].join('\n')
  t.same(parseEnvironmentFile(text), [
    ['A', '1'],
    ['B', 'spaced'],
    ['C', 'two words'],
    ['D', 'single $ \\ kept'],
    ['E', 'a"b\\c\\d'],
    ['F', 'onetwo'],
    ['G', 'over\nlines'],
    ['H', 'ab cd'],
    ['I', ''],
    ['K', 'a#b'],
  ])
})

t.test('time spans', async (t) => {
  for (const [text, ms] of [
    ['90', 90_000],
    ['0', 0],
    ['500ms', 500],
    ['1min 30s', 90_000],
    ['1h30m', 5_400_000],
    ['2.5s', 2500],
    ['1.5 hours', 5_400_000],
    ['100us', 1],
    ['1d', 86_400_000],
    ['1w 1d', 691_200_000],
    ['infinity', Infinity],
    ['', undefined],
    ['x', undefined],
    ['5 parsecs', undefined],
    ['-1', undefined],
    ['1constructor', undefined],
    ['9999999999999y', undefined],
  ] as const) {
    t.equal(parseTimeSpan(text), ms, text)
  }
  t.equal(present(parseTimeSpan('1month'), 'a month') * 12, parseTimeSpan('1y'))
})
