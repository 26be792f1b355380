/** The rules of the house that a compiler does not know. Each failure names the file and the rule. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { errorCodes } from '../src/base/errors.ts'
import { findCycle, roomOf, ruleOf, within } from './tidy/law.ts'
import { blank, importsOf, longFunctions, readSources, root } from './tidy/source.ts'
import type { Import, SourceFile } from './tidy/source.ts'

const sourceLinesMax = 400
const testLinesMax = 600
const functionLinesMax = 60

const sources = readSources('src', '.ts')
const tests = readSources('test', '.ts')
const scripts = readSources('scripts', '.mjs')

/** The room that an import of `file` leads to, or undefined for a package. */
function target(file: SourceFile, { from }: Import): string | undefined {
  return from.startsWith('.') ? path.join(path.dirname(file.path), from) : undefined
}

const packageOf = (from: string): string =>
  from.startsWith('node:')
    ? 'node:*'
    : from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/')

function brokenImport(file: SourceFile, each: Import): string | undefined {
  const room = roomOf(file.path)
  const rule = ruleOf(room)
  if (rule === undefined) return `${file.path}: the law does not know the room ${room}`
  const to = target(file, each)
  if (to === undefined) {
    return rule.packages.includes(packageOf(each.from))
      ? undefined
      : `${file.path}: ${room} may not import ${each.from}`
  }
  if (!existsSync(path.join(root, to))) return `${file.path}: ${each.from} is not there`
  const other = roomOf(to)
  if (other === room || within(other, rule.rooms)) return undefined
  if (each.typeOnly && within(other, rule.types ?? [])) return undefined
  return `${file.path}: ${room} may not import ${other}${each.typeOnly ? '' : ' (values)'}`
}

t.test('imports keep the law', (t) => {
  const broken = sources.flatMap((file) =>
    file.imports.flatMap((each) => brokenImport(file, each) ?? []),
  )
  t.same(broken, [])
  t.end()
})

t.test('rooms know each other in one direction', (t) => {
  const graph = new Map<string, Set<string>>()
  for (const file of sources) {
    const room = roomOf(file.path)
    const known = graph.get(room) ?? new Set()
    graph.set(room, known)
    for (const each of file.imports) {
      const to = target(file, each)
      if (to !== undefined && roomOf(to) !== room) known.add(roomOf(to))
    }
  }
  t.equal(findCycle(graph)?.join(' → '), undefined)
  t.end()
})

t.test('files and functions can be held in mind', (t) => {
  const longFile = (max: number) => (file: SourceFile) => {
    const lines = file.text.trimEnd().split('\n').length
    return lines > max ? [`${file.path}: ${lines} lines, at most ${max}`] : []
  }
  const longFunction = (file: SourceFile) =>
    longFunctions(file.code, functionLinesMax).map(
      ({ line, lines }) => `${file.path}:${line}: a function of ${lines} lines`,
    )
  t.same([...sources, ...scripts].flatMap(longFile(sourceLinesMax)), [])
  t.same(tests.flatMap(longFile(testLinesMax)), [])
  t.same([...sources, ...scripts, ...tests].flatMap(longFunction), [])
  t.end()
})

const worldly =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|\bprocess\.(?:env|hrtime)\b|\bperformance\.now\b/

t.test('time, chance and environment come in through the platform', (t) => {
  const found = sources
    .filter(({ path: file }) => roomOf(file) !== 'platform' && file !== 'src/main.ts')
    .flatMap(({ path: file, code }) => {
      const word = worldly.exec(code)?.[0]
      return word === undefined ? [] : [`${file}: ${word}`]
    })
  t.same(found, [])
  t.end()
})

t.test('the core decides at once: nothing in it waits', (t) => {
  const found = sources
    .filter(({ path: file }) => file.startsWith('src/core/'))
    .filter(({ code }) => /\basync\b|\bawait\b|\bPromise\b/.test(code))
  t.same(
    found.map(({ path: file }) => file),
    [],
  )
  t.end()
})

t.test('every error code that is written anywhere is registered', (t) => {
  const found = [...sources, ...tests].flatMap(({ path: file, text }) =>
    [...text.matchAll(/\bJGD_[A-Z_]*[A-Z]\b/g)]
      .filter(([code]) => !(code in errorCodes))
      .map(([code]) => `${file}: ${code}`),
  )
  t.same(found, [])
  t.end()
})

t.test('every dependency says why it is here', (t) => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string> | undefined
  >
  const explained = readFileSync(path.join(root, 'docs/decisions/dependencies.md'), 'utf8')
  const rows = new Set([...explained.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name))
  const all = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}),
  )
  t.same(
    all.filter(([name]) => !rows.has(name)).map(([name]) => name),
    [],
    'each has a row in docs/decisions/dependencies.md',
  )
  t.same(
    [...rows].filter((name) => !all.some(([known]) => known === name)),
    [],
    'and each row a dependency',
  )
  t.same(
    all.filter(([, version]) => !/^\d/.test(version)),
    [],
    'versions are exact',
  )
  t.end()
})

t.test('these rules can fail', (t) => {
  t.same(importsOf("import type { A } from './a.ts'\nimport {\n  b,\n} from 'b'\nimport 'c'"), [
    { from: './a.ts', typeOnly: true },
    { from: 'b', typeOnly: false },
    { from: 'c', typeOnly: false },
  ])
  t.same(importsOf("const a = await import('a/b')"), [{ from: 'a/b', typeOnly: false }])
  const text = 'x(`a ${Date.now()} b`) // Date.now\nconst r = /Date.now/ // \'\nf("Date.now")'
  t.equal(blank(text).match(/Date\.now/g)?.length, 1)
  const long = ['export function f(', '  a: string,', '): void {', '  g()', '}', ''].join('\n')
  t.same(longFunctions(long, 4), [{ line: 1, lines: 5 }])
  t.same(longFunctions(long, 5), [])
  t.same(longFunctions('if (\n  a\n) {\n  b()\n}\n', 1), [])
  const ring = new Map([
    ['a', new Set(['b'])],
    ['b', new Set(['c'])],
    ['c', new Set(['b'])],
  ])
  t.same(findCycle(ring), ['b', 'c', 'b'])
  t.end()
})
