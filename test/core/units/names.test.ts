import t from 'tap'
import { expandNames, parseUnitName, withServiceSuffix } from '../../../src/core/units/names.ts'

t.test('plain units, templates and instances', async (t) => {
  for (const [text, kind, prefix, instance, template] of [
    ['foo.service', 'plain', 'foo', '', undefined],
    ['foo@.service', 'template', 'foo', '', undefined],
    ['foo@bar.service', 'instance', 'foo', 'bar', 'foo@.service'],
    ['foo@bar@baz.service', 'instance', 'foo', 'bar@baz', 'foo@.service'],
    ['foo.1@2.service', 'instance', 'foo.1', '2', 'foo.1@.service'],
    ['a:b_c\\x20.service', 'plain', 'a:b_c\\x20', '', undefined],
  ] as const) {
    t.same(parseUnitName(text), {
      ok: true,
      name: { name: text, prefix, kind, instance, templateName: template },
    })
  }
})

t.test('names that are none', async (t) => {
  for (const text of [
    ...['', 'foo', '.service', '@.service', '@1.service', 'foo.socket', 'a/b.service'],
    ...['a b.service', 'ü.service', 'a{1}.service', `${'x'.repeat(249)}.service`, 'a\n.service'],
  ]) {
    t.notOk(parseUnitName(text).ok, JSON.stringify(text))
  }
  t.ok(parseUnitName(`${'x'.repeat(248)}.service`).ok, '256 bytes are allowed')
})

t.test('ranges expand as in a shell', async (t) => {
  const names = (text: string): unknown => {
    const result = expandNames(text)
    return result.ok ? result.names : result.reason
  }
  t.same(
    names('hello@{1..3}.service'),
    [1, 2, 3].map((n) => `hello@${n}.service`),
  )
  t.same(names('hello@{08..10}'), ['hello@08', 'hello@09', 'hello@10'])
  t.same(names('{2..0}'), ['2', '1', '0'])
  t.same(names('plain.service'), ['plain.service'])
  t.match(names('a{1..1001}'), /at most 1000/)
  for (const text of ['a{', 'a}', 'a{}', 'a{1}', 'a{1..}', 'a{b..d}', '{1..2}{1..2}', '{-1..2}']) {
    t.match(names(text), /one range/, text)
  }
})

t.test('a name without a type is a service', async (t) => {
  t.equal(withServiceSuffix('web'), 'web.service')
  t.equal(withServiceSuffix('web.v1'), 'web.v1.service')
  t.equal(withServiceSuffix('web.socket'), 'web.socket')
})
