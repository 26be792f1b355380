import { createHash } from 'node:crypto'
import t from 'tap'
import {
  asWritten,
  formatOptions,
  parseOptions,
  unitHash,
} from '../../../src/core/units/options.ts'
import type { OptionsResult } from '../../../src/core/units/options.ts'

const plain = (result: OptionsResult): unknown =>
  result.ok
    ? result.options.map(({ section, name, value, line }) => [line, section, name, value])
    : result.problems.map(({ line, reason }) => `${line}: ${reason}`)

t.test('sections, comments, continued lines', async (t) => {
  const text = `# before everything
[Unit]
; a comment
Description = Foo = bar \t

[Service]
ExecStart=docker run \\
  --init \\
# a comment between continued lines
  busybox
Environment=
   Restart=always\r
`
  t.same(plain(parseOptions(text)), [
    [4, 'Unit', 'Description', 'Foo = bar'],
    [7, 'Service', 'ExecStart', 'docker run    --init    busybox'],
    [11, 'Service', 'Environment', ''],
    [12, 'Service', 'Restart', 'always'],
  ])
})

t.test('a file that ends within a continued line still counts', async (t) => {
  t.same(plain(parseOptions('[Unit]\nDescription=a\\')), [[2, 'Unit', 'Description', 'a']])
})

t.test('each broken line is told with its number', async (t) => {
  t.same(plain(parseOptions('A=1\n[Unit\n[Unit]\nnonsense upon stilts\n=x\nB=\u0007')), [
    '1: a setting stands before the first section header',
    '2: [Unit: not a section header',
    '4: nonsense upon stilts: write name=value',
    '5: =x: write name=value',
    '6: the line holds the control character U+0007',
  ])
})

t.test('a file too large is refused before it is read', async (t) => {
  t.match(plain(parseOptions(`[Unit]\n# ${'x'.repeat(256 * 1024)}`)), [/at most 262144 bytes/])
})

t.test('the hash is the one that fleet gives', async (t) => {
  // The value of fleet's own test (unit/unit_test.go, TestUnitHash).
  const parsed = parseOptions('[Service]\nExecStart=/bin/sleep 100\n')
  t.ok(parsed.ok)
  if (parsed.ok) t.equal(unitHash(parsed.options), '1c6fb6f3684bafb0c173d8b8b957ceff031180c1')
})

t.test('a plainly written file has its own SHA-1, continued lines and all', async (t) => {
  const text = `[Unit]
Description=Browsers

[Service]
ExecStart=/usr/bin/docker run \\
  --shm-size 1g \\
  example/browser:1
Environment=A=1

[X-Fleet]
Conflicts=browser@*.service
`
  const parsed = parseOptions(text)
  t.ok(parsed.ok)
  if (!parsed.ok) return
  t.equal(unitHash(parsed.options), createHash('sha1').update(text).digest('hex'))
  t.equal(formatOptions(parsed.options), text)
  const [, start] = asWritten(parsed.options)
  t.equal(start?.value, '/usr/bin/docker run \\\n  --shm-size 1g \\\n  example/browser:1')
})

t.test('an empty line ends a continued one, and stays with it as fleet has it', async (t) => {
  const text = '[Unit]\nDescription=a \\\n\nAfter=b.service\n'
  const parsed = parseOptions(text)
  t.same(plain(parsed), [
    [2, 'Unit', 'Description', 'a'],
    [4, 'Unit', 'After', 'b.service'],
  ])
  t.ok(parsed.ok && formatOptions(parsed.options) === text)
})

t.test('written out, options are grouped by section, and read back the same', async (t) => {
  const options = [
    { section: 'Unit', name: 'After', value: 'a.service' },
    { section: 'Service', name: 'ExecStart', value: 'docker run b' },
    { section: 'Unit', name: 'After', value: 'b.service' },
  ]
  const text = formatOptions(options)
  t.equal(text, '[Unit]\nAfter=a.service\nAfter=b.service\n\n[Service]\nExecStart=docker run b\n')
  const again = parseOptions(text)
  t.ok(again.ok && unitHash(again.options) === unitHash(options))
})
