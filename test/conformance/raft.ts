/**
 * The data-driven scripts of etcd-io/raft. Which harness a file needs is told by its first command:
 * few are of `quorum` and `confchange`, all others of `interaction`.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '../../src/base/errors.ts'
import { ConfchangeSuite } from './raft-confchange.ts'
import { InteractionSuite } from './raft-interaction.ts'
import { runQuorumCommand } from './raft-quorum.ts'
import { parseScript, type Command } from './script.ts'

export interface SuiteResult {
  readonly files: number
  readonly passed: number
  /** One text for each failed command: where, what was expected, what came. */
  readonly failures: readonly string[]
}

type Runner = (command: Command) => string

const quorumCommands = new Set(['vote', 'committed'])
const confchangeCommands = new Set(['simple', 'enter-joint', 'leave-joint'])

function runnerFor(first: Command): Runner {
  if (quorumCommands.has(first.name)) return runQuorumCommand
  const suite = confchangeCommands.has(first.name) ? new ConfchangeSuite() : new InteractionSuite()
  return (command) => suite.run(command)
}

/** `directory` may be the whole suite, one of its folders, or hold further files of the format. */
export async function runRaftSuite(directory: string): Promise<SuiteResult> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = found
    .filter((file) => file.isFile() && file.name.endsWith('.txt'))
    .map((file) => join(file.parentPath, file.name))
    .toSorted()
  let passed = 0
  const failures: string[] = []
  for (const path of paths) {
    const result = runFile(path, await readFile(path, 'utf8'))
    passed += result.passed
    failures.push(...result.failures)
  }
  return { files: paths.length, passed, failures }
}

export function runFile(path: string, text: string): Omit<SuiteResult, 'files'> {
  const failures: string[] = []
  let passed = 0
  let runner: Runner | undefined
  for (const command of parseScript(text)) {
    let actual: string
    try {
      runner ??= runnerFor(command)
      // What is expected is not for the harness to see.
      actual = runner({ ...command, expected: '' })
    } catch (error) {
      actual = `${(error as Error).name}: ${describeError(error)}`
    }
    if (actual.trimEnd() === command.expected.trimEnd()) passed += 1
    else {
      failures.push(
        `${path}:${command.line}: ${command.name}\n` +
          `expected:\n${command.expected}\nactual:\n${actual}`,
      )
    }
  }
  return { passed, failures }
}
