/**
 * `npm test [-- FILTER…]`: set-up, build, then every test/**\/*.test.ts, or those whose path
 * contains a filter. The last line is `N passed, N failed`, counting assertions.
 */
import path from 'node:path'
import { buildBinary } from './lib/binary.mjs'
import { Refusal, filesUnder, inRoot, pinnedNode, root } from './lib/project.mjs'
import { run, runMain, say, seconds } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'
import { TapReader } from './lib/tap-reader.mjs'

/**
 * Tests that start real clusters, virtual machines or bare Debians. They need the binary and the
 * whole machine, so they run one after another and after all others.
 */
const heavyDirectories = ['test/e2e/', 'test/scenarios/', 'test/tools/']
const heavyTimeoutSeconds = 900
const timeoutSeconds = 120
/** Two at a time: the smallest machine this must run well on has two cores. */
const jobs = 2

function testFiles(filters) {
  return filesUnder(inRoot('test'))
    .map((file) => path.relative(root, file))
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .sort()
}

async function runTap(reader, files, options) {
  if (files.length === 0) return 0
  const args = [inRoot('node_modules/tap/dist/esm/run.mjs'), '--reporter=tap', ...options, ...files]
  const onLine = (line) => reader.line(line)
  const code = await run(pinnedNode, args, { signals: true, ownErrors: true, onLine })
  reader.end()
  return code
}

function tell({ name, passed, failed, skipped, evidence }) {
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
  say(`${failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${counts}`)
  for (const line of evidence) say(line)
}

await runMain(async () => {
  const startMs = Date.now()
  const files = testFiles(process.argv.slice(2))
  if (files.length === 0) throw new Refusal('no test file has that in its path')
  const isHeavy = (name) => heavyDirectories.some((directory) => name.startsWith(directory))
  const heavy = files.filter(isHeavy)
  const light = files.filter((name) => !isHeavy(name))
  await setUp({ machine: true })
  if (heavy.length > 0) await buildBinary()

  const reader = new TapReader(tell)
  const codes = [
    await runTap(reader, light, [`--jobs=${jobs}`, `--timeout=${timeoutSeconds}`]),
    await runTap(reader, heavy, ['--jobs=1', `--timeout=${heavyTimeoutSeconds}`]),
  ]
  // The runner failing without a failed point (it crashed, or was interrupted) is a failure too.
  const crashed = codes.some((code) => code !== 0) && reader.failed === 0
  const failed = reader.failed + (crashed ? 1 : 0)
  const skipped = reader.skipped > 0 ? `, ${reader.skipped} skipped` : ''
  say(`${files.length} files in ${seconds(startMs)}${skipped}`)
  say(`${reader.passed} passed, ${failed} failed`)
  return failed === 0 && reader.passed > 0 ? 0 : 1
})
