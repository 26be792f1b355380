/** Metrics that the papers name are metrics that there are, and the other way round. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.join(import.meta.dirname, '..', '..')
const textsOf = (directory: string, ending: string): string =>
  readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(path.join(root, directory, name), 'utf8'))
    .join('\n')

const namesIn = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].toSorted()

t.test('operations.md, boot.md and kv.md name every metric, and no other', async (t) => {
  const made = namesIn(textsOf('src', '.ts'), /'(jangada_[a-z_]+)'/g)
  const named = namesIn(textsOf('docs', '.md'), /`(jangada_[a-z_]+)`/g)
  t.ok(made.length > 10)
  t.same(named, made)
})
