/**
 * Runs outside suites: `node test/conformance/main.ts raft DIR`. Prints what differs, then
 * `P passed, F failed`, counted in commands. Exit 0 when all passed, 1 when any failed or
 * nothing was found to run, 2 when called wrongly.
 */
import { describeError } from '../../src/base/errors.ts'
import { runRaftSuite } from './raft.ts'

const [suite, directory, ...rest] = process.argv.slice(2)
if (suite !== 'raft' || directory === undefined || rest.length > 0) {
  process.stderr.write('usage: node test/conformance/main.ts raft DIR\n')
  process.exitCode = 2
} else {
  const { files, passed, failures } = await runRaftSuite(directory).catch((error: unknown) => {
    process.stderr.write(`cannot read the scripts: ${describeError(error)}\n`)
    return { files: 0, passed: 0, failures: [] }
  })
  for (const failure of failures) process.stdout.write(`${failure}\n\n`)
  process.stdout.write(`${files} files: ${passed} passed, ${failures.length} failed\n`)
  if (passed + failures.length === 0) process.stderr.write(`nothing to run in ${directory}\n`)
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0
}
