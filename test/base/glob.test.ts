import t from 'tap'
import { globMatcher, globMatches } from '../../src/base/glob.ts'

t.test('patterns match as in Go', async (t) => {
  for (const [pattern, name, expected] of [
    ['db-*.service', 'db-a.service', true],
    ['db-*.service', 'db.service', false],
    ['web@?.service', 'web@1.service', true],
    ['web@?.service', 'web@12.service', false],
    ['web@[1-3].service', 'web@2.service', true],
    ['web@[^1-3].service', 'web@2.service', false],
    ['[a\\-z]', '-', true],
    ['[a\\-z]', 'm', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.c', 'abc', false],
    ['*', 'a/b', false],
    ['', '', true],
  ] as const) {
    t.equal(globMatches(pattern, name), expected, `${pattern} and ${name}`)
  }
})

t.test('each printable character stands for itself when quoted', async (t) => {
  for (let code = 0x20; code < 0x7f; code += 1) {
    const character = String.fromCharCode(code)
    t.ok(globMatches(`\\${character}`, character), character)
    t.ok(globMatches(`[\\${character}]`, character), `[${character}]`)
    t.notOk(globMatches(`\\${character}`, 'é'))
  }
})

t.test('a pattern of many stars is no more work than its length', async (t) => {
  const name = 'a'.repeat(250)
  t.notOk(globMatches(`${'*a'.repeat(40)}*b`, name))
  t.ok(globMatches(`${'*a'.repeat(40)}*`, name))
  t.notOk(globMatches(`${'*[^b]?'.repeat(40)}b*`, name))
  t.ok(globMatches('*ab*ab', `ab${name}b/`.slice(0, -1)), 'the last star is tried again')
  t.notOk(globMatches('*b*', `${name}/b`))
  t.ok(globMatches('*/*b', 'a/cb'))
  t.ok(globMatches('?[^a]*', '😀é😀'), 'one letter is one')
})

t.test('malformed patterns are told apart from those that do not match', async (t) => {
  for (const pattern of ['[', '[a', '[]', '[-]', '[a-]', '\\', '[\\']) {
    t.equal(globMatcher(pattern), undefined, pattern)
  }
})
