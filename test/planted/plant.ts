/**
 * Known bugs, planted. Each patch of this directory puts one bug that others had into a copy of
 * the source; the test that its header names must fail there, and must say the symptom.
 *
 * A header is lines of `Word: text` before the first `--- a/…`:
 *
 *     Bug: its number in the list of known bugs, a dot, and what goes wrong
 *     Source: where it was found first
 *     Test: file, a colon, and the name of the test in it
 *     Symptom: a regular expression that the test's output must match
 *     Note: where ours had to differ from the original; may be left out
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')
const copied = ['src', 'test', 'package.json'] as const

/** A test that takes longer has not failed with a symptom: it hangs. */
const timeoutMs = 60_000
const outputBytesMax = 16 * 1024 * 1024

export interface Plant {
  readonly name: string
  readonly number: number
  readonly bug: string
  readonly source: string
  /** The file, from the project's directory. */
  readonly file: string
  readonly test: string
  readonly symptom: RegExp
  readonly patch: string
}

export type Verdict =
  | { readonly kind: 'caught' }
  | { readonly kind: 'missed'; readonly why: string; readonly output: string }

const missed = (why: string, output = ''): Verdict => ({ kind: 'missed', why, output })

/** Throws when the header lacks something, and says what. */
export function parsePlant(name: string, patch: string): Plant {
  const header = patch.slice(0, Math.max(0, patch.search(/^(?:diff|---) /m)))
  const field = (word: string): string => {
    const found = new RegExp(`^${word}: (.+)$`, 'm').exec(header)?.[1]
    if (found === undefined) throw new Error(`${name}: its header has no line "${word}: …"`)
    return found
  }
  const [, number, bug = ''] = /^(\d+)\. (.+)$/.exec(field('Bug')) ?? []
  if (number === undefined) throw new Error(`${name}: its bug has no number`)
  const [, file = '', test] = /^(\S+\.test\.ts): (.+)$/.exec(field('Test')) ?? []
  if (test === undefined) throw new Error(`${name}: "Test" is a file, a colon and a name`)
  const symptom = new RegExp(field('Symptom'))
  return { name, number: Number(number), bug, source: field('Source'), file, test, symptom, patch }
}

export async function readPlants(): Promise<readonly Plant[]> {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.patch'))
  return Promise.all(
    names
      .toSorted()
      .map(async (name) =>
        parsePlant(name, await readFile(path.join(import.meta.dirname, name), 'utf8')),
      ),
  )
}

/** A copy of the project, outside of it and of any repository. One bug at a time is in it. */
export class Copy {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<Copy> {
    const directory = await mkdtemp(path.join(tmpdir(), 'jangada-planted-'))
    for (const part of copied) {
      await cp(path.join(root, part), path.join(directory, part), { recursive: true })
    }
    await symlink(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
    return new Copy(directory)
  }

  async restore(files: readonly string[]): Promise<void> {
    for (const file of files) await cp(path.join(root, file), path.join(this.directory, file))
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true })
  }
}

interface Ran {
  /** Undefined when it did not end by itself. */
  readonly code: number | undefined
  readonly output: string
}

function run(
  directory: string,
  command: string,
  args: readonly string[],
  more: { readonly input?: string; readonly env?: Record<string, string> } = {},
): Promise<Ran> {
  // Whoever runs this, tap or a hook of git, has settings that are not for what is run inside.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^_?TAP|^GIT_|^NODE_OPTIONS$/.test(name),
  )
  const env = { ...Object.fromEntries(own), ...more.env }
  const options = { cwd: directory, env, timeout: timeoutMs, maxBuffer: outputBytesMax }
  return new Promise((resolve) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      resolve({ code: typeof code === 'number' ? code : undefined, output: stdout + stderr })
    })
    child.stdin?.end(more.input ?? '')
  })
}

/** Why the patch does not apply; undefined when it did. */
async function apply(directory: string, { name, patch }: Plant): Promise<string | undefined> {
  // Were the directory in a repository, git would pass over files that it does not know there.
  const env = { GIT_CEILING_DIRECTORIES: path.dirname(directory) }
  const applied = await run(directory, 'git', ['apply', '-C1', '-'], { input: patch, env })
  if (applied.code === 0) return undefined
  return (
    `test/planted/${name} does not apply any more: the source has changed around it. Plant the ` +
    'bug by hand in a copy of the source, see its test fail, and put the difference in place of ' +
    `the old one, below its header.\n${applied.output}`
  )
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** Runs only the tests with these names. */
function runTests(directory: string, file: string, names: readonly string[]): Promise<Ran> {
  const grep = `/^(?:${names.map(escaped).join('|')})$/`
  const env = { TAP_GREP: grep, TAP_FILTER_QUIETLY: '1' }
  return run(directory, process.execPath, [file], { env })
}

/** What TAP says of the test called `name`, at the top of a file. */
function wentOf(output: string, name: string): 'ok' | 'not ok' | undefined {
  const found = new RegExp(`^(ok|not ok) \\d+ - ${escaped(name)}(?: #.*)?$`, 'm').exec(output)
  return found?.[1] as 'ok' | 'not ok' | undefined
}

/**
 * What failed inside of tests, with what tap says of it, but not the source that it quotes: the
 * words of an assertion that held are no symptom.
 */
export function failuresIn(output: string): string {
  const failures = output.matchAll(/^( +)not ok .*\n(?:\1 {2}---\n[^]*?\n\1 {2}\.\.\.$)?/gm)
  return [...failures]
    .map(([failure]) => failure.replaceAll(/^( *)source: .*\n(?:\1 .*\n|\s*\n)*/gm, ''))
    .join('\n')
}

/** The files that a patch changes. */
const filesOf = (patch: string): readonly string[] =>
  [...patch.matchAll(/^\+\+\+ b\/(\S+)$/gm)].map(([, file]) => file as string)

/** Plants the bug in `copy`, asks its test, and takes it out again. */
export async function judge(copy: Copy, plant: Plant): Promise<Verdict> {
  const { directory } = copy
  const stale = await apply(directory, plant)
  if (stale !== undefined) return missed(stale)
  const { code, output } = await runTests(directory, plant.file, [plant.test])
  await copy.restore(filesOf(plant.patch))
  if (code === undefined) return missed('the test does not end', output)
  const went = wentOf(output, plant.test)
  if (went === undefined) return missed(`${plant.file} does not come to "${plant.test}"`, output)
  if (went === 'ok') return missed('the test passes all the same', output)
  if (plant.symptom.test(failuresIn(output))) return { kind: 'caught' }
  return missed(`the test fails, and no failure says ${String(plant.symptom)}`, output)
}

/** Runs the named tests of all `plants`, with none of them planted. Returns what failed. */
export async function runUnplanted(
  { directory }: Copy,
  plants: readonly Plant[],
): Promise<readonly string[]> {
  const failures: string[] = []
  for (const [file, of] of Map.groupBy(plants, (plant) => plant.file)) {
    const names = [...new Set(of.map(({ test }) => test))]
    const { output } = await runTests(directory, file, names)
    const failed = names.filter((name) => wentOf(output, name) !== 'ok')
    if (failed.length > 0) failures.push(`${file}: ${failed.join('; ')}\n${output}`)
  }
  return failures
}
