/** docs/units.md is what people rely on, so each of its tables is held against the parser. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { dockerFlags } from '../../../src/core/units/docker-flags.ts'
import { acceptedKeys } from '../../../src/core/units/keys.ts'
import { parseUnit } from '../../../src/core/units/unit.ts'
import { containerOf, refusals, specOf, withService } from './helpers.ts'

const text = readFileSync(new URL('../../../docs/units.md', import.meta.url), 'utf8')
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('|--'))
  .map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  )
const code = (cell: string | undefined): string => (cell ?? '').replace(/^`(.*)`$/, '$1')

/** A unit that holds `line` in `section` and is whole without it. */
function unitWith(section: string, line: string): string {
  if (line.startsWith('ExecStart=')) return `[Service]\n${line}`
  if (section === 'Container') return withContainer(line)
  return section === 'Service' ? withService(line) : `[${section}]\n${line}\n${withService()}`
}

/** What some keys need beside them. */
const withContainer = (line: string): string => {
  const own = (one: string): boolean => line.startsWith(one.slice(0, one.indexOf('=') + 1))
  const others = ['Image=busybox', 'User=1000', 'Network=own'].filter((one) => !own(one))
  return ['[Container]', ...others, line].join('\n')
}

const keyRows = rows.filter(([section]) => section !== undefined && section in acceptedKeys)

t.test('the table of keys and the parser know the same keys', async (t) => {
  t.same(
    keyRows.map(([section, key]) => `${section}.${key}`).toSorted(),
    Object.entries(acceptedKeys)
      .flatMap(([section, keys]) => keys.map((key) => `${section}.${key}`))
      .toSorted(),
  )
})

for (const [section = '', key = '', example] of keyRows) {
  t.test(`[${section}] ${key}`, async (t) => {
    const line = code(example)
    t.ok(line.startsWith(`${key}=`), 'the example is of this key')
    t.same(refusals(unitWith(section, line)), [], 'the example is accepted')
    const misspelt = unitWith(section, line.replace(key, `${key}x`))
    t.match(refusals(misspelt).join('\n'), `${key}x= in [${section}] is not understood`)
    const hasEffect = !/no effect|for readers/.test(text.split(line)[1]?.split('\n')[0] ?? '')
    const before =
      section === 'Service' && key === 'ExecStart' ? withService() : unitWith(section, '')
    const changed =
      JSON.stringify(specOf(unitWith(section, line))) !== JSON.stringify(specOf(before))
    // A line is moved down by the one put before it, which alone is no effect.
    const moved = JSON.stringify(specOf(unitWith(section, '# nothing')))
    const differs = JSON.stringify(specOf(unitWith(section, line))) !== moved
    t.equal(changed && differs, hasEffect, 'it has an effect exactly if the table says so')
  })
}

t.test('the lists of flags and the parser agree, with the reasons', async (t) => {
  const carriedText = /Carried into[^:]*:([^|]*?)\n\n/s.exec(text)?.[1] ?? ''
  const carried = [...carriedText.matchAll(/`--([a-z0-9-]+)`/g)].map((match) => match[1] ?? '')
  const byFate = (kind: string): readonly string[] =>
    dockerFlags.filter((flag) => flag.fate.kind === kind).map((flag) => flag.name)
  t.same(carried.toSorted(), byFate('carried'))
  const flagRows = rows.filter(([cell]) => cell?.startsWith('`--'))
  t.same(
    flagRows.map(([cell]) => code(cell).slice(2)).toSorted(),
    [...byFate('understood'), ...byFate('refused')].toSorted(),
  )
  for (const flag of dockerFlags) {
    if (flag.fate.kind !== 'refused') continue
    const row = flagRows.find(([cell]) => code(cell) === `--${flag.name}`)
    t.equal(row?.[1], flag.fate.reason, `why --${flag.name} is refused`)
  }
})

t.test('specifiers and variables give what the table says', async (t) => {
  const written = rows.map(([cell]) => code(cell)).filter((cell) => /^(%|\$)/.test(cell))
  t.same(written, ['%n', '%N', '%p', '%i', '%H', '%m', '%%', '${NAME}', '$NAME', '$$'])
  const lines = [
    '[Service]',
    'Environment="NAME=two words"',
    'ExecStart=docker run b %n %N %p %i %H %m %% a${NAME}b $NAME $$',
  ]
  t.same(containerOf(specOf(lines.join('\n'), 'web@3.service')).Cmd, [
    ...['web@3.service', 'web@3', 'web', '3', 'alpha', '0123456789abcdef0123456789abcdef', '%'],
    ...['atwo wordsb', 'two', 'words', '$'],
  ])
})

t.test('the examples it lists are there', async (t) => {
  const names = [
    ...(text.split('## Examples')[1] ?? '').matchAll(/`([\w@.-]+\.service(?:\.in)?)`/g),
  ]
  t.equal(names.length, 9)
  for (const [, name = ''] of names) {
    const file = readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8')
    const id = '0123456789abcdef0123456789abcdef'
    const result = parseUnit(name.replace(/\.in$/, ''), file.replace('@MACHINE_ID@', id))
    t.ok(result.ok, `${name}: ${JSON.stringify(result.ok || result.problems)}`)
  }
})
