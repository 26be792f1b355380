/** Commands that the papers name are commands that there are, with the options they are given. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { CliEnvironment } from '../../../src/tools/cli/environment.ts'
import { runCli } from '../../../src/tools/cli/main.ts'

const root = path.join(import.meta.dirname, '..', '..', '..')
const papers = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'],
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
]

/** `jangada …` as a line of a block, after a prompt or not, or between backquotes. */
const written = /(?:^(?:\$ )?|`)(?:dist\/)?jangada ([a-z][^`#\n]*)/gm

interface Named {
  readonly paper: string
  readonly words: readonly string[]
}

const named: readonly Named[] = papers.flatMap((paper) => {
  const text = readFileSync(path.join(root, paper), 'utf8')
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  const inline = [...prose.matchAll(/`((?:dist\/)?jangada [^`]+)`/g)].map(([, line = '']) => line)
  return [...blocks, ...inline].flatMap((part) =>
    [...part.matchAll(written)].map(([, line = '']) => ({
      paper,
      words: line.trim().split(/\s+/),
    })),
  )
})

/** Help asks nothing of the world. */
async function helpOf(words: readonly string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const environment = {
    version: '0.1.0',
    stdout: (more: string) => (text += more),
    stderr: (more: string) => (text += more),
  } as unknown as CliEnvironment
  return { code: await runCli([...words, '--help'], environment), text }
}

const isCommandWord = (word: string | undefined): word is string => /^[a-z-]+$/.test(word ?? '')

t.test('there is something to look at', async (t) => {
  t.ok(named.length >= 20, `${named.length} commands are named`)
})

t.test('a command that there is not would be seen', async (t) => {
  t.equal((await helpOf(['conjure'])).code, 2)
})

for (const { paper, words } of named) {
  const line = `jangada ${words.join(' ')}`
  // What follows `--` is another program's, and `rack exec` runs it elsewhere.
  const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words
  t.test(`${paper}: ${line}`, async (t) => {
    const [first = '', second] = own
    const two = isCommandWord(second) ? await helpOf([first, second]) : { code: 2, text: '' }
    const { code, text } = two.code === 0 ? two : await helpOf([first])
    t.equal(code, 0, 'there is such a command')
    for (const option of own.filter((word) => word.startsWith('-'))) {
      const name = option.replace(/=.*/, '').replace(/^--no-/, '--')
      t.match(text, new RegExp(`${name}\\b`), `it takes ${name}`)
    }
  })
}
