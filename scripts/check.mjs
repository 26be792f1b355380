/** `npm run check`: types, lint, format and the tidy test, side by side, in under 15 seconds. */
import { capture, inRoot, pinnedNode, runMain, say, seconds } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

const bin = (name) => inRoot('node_modules', name)
const checks = {
  types: [bin('typescript/bin/tsc'), '--noEmit', '-p', '.'],
  lint: [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'],
  format: [bin('prettier/bin/prettier.cjs'), '--check', '--cache', '--log-level=warn', '.'],
  tidy: [inRoot('test/tidy.test.ts')],
}

async function check(name, args) {
  const startMs = Date.now()
  const { code, output } = await capture(pinnedNode, args)
  say(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(8)} ${seconds(startMs)}`)
  if (code !== 0) say(output)
  return code === 0
}

await runMain(async () => {
  await setUp({ machine: false })
  const startMs = Date.now()
  const results = await Promise.all(Object.entries(checks).map((entry) => check(...entry)))
  const failed = results.filter((ok) => !ok).length
  say(`check: ${results.length - failed} of ${results.length} passed (${seconds(startMs)})`)
  return failed === 0 ? 0 : 1
})
