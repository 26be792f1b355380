import { spawnSync } from 'node:child_process'
import path from 'node:path'
import t from 'tap'

const binary = path.join(import.meta.dirname, '../../dist/jangada')
const waitMs = 60_000

/** Runs beside a stranger on the status port, in a network namespace of their own. */
const besideAStranger = `
const { execFileSync, spawn } = require('node:child_process')
execFileSync('ip', ['link', 'set', 'lo', 'up'])
const [binary, ...argv] = process.argv.slice(1)
require('node:net').createServer().listen(7380, '0.0.0.0', () => {
  const node = spawn(binary, argv, { stdio: ['ignore', 'ignore', 'inherit'] })
  node.on('exit', (code) => process.exit(code ?? 99))
})
`

/** With the first process of them everything in them ends. */
const fresh = ['--net', '--pid', '--fork', '--kill-child']

/**
 * The member and the agent ran already when a door could not be opened. The command said so and
 * stayed: a node that votes and starts containers, and that nobody can ask or stop by its socket.
 */
t.test('a node that cannot open its doors ends, and says why', { timeout: 2 * waitMs }, (t) => {
  const directory = t.testdir()
  const state = ['--state-dir', path.join(directory, 'state')]
  const begun = spawnSync(binary, ['init', ...state, '--address', '127.0.0.1'])
  t.equal(begun.status, 0, begun.stderr.toString())
  const up = ['up', ...state, '--address', '127.0.0.1', '--socket', path.join(directory, 'socket')]
  const inside = [process.execPath, '-e', besideAStranger, binary, ...up]
  const ended = spawnSync('unshare', [...fresh, '--', ...inside], { timeout: waitMs })
  t.equal(ended.status, 1, 'it ended by itself')
  t.match(ended.stderr.toString(), /cannot listen on .*7380/)
  t.end()
})
