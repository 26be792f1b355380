/**
 * `node scripts/run.mjs [--machine] FILE ARGS…`: runs a TypeScript file of the project on the
 * pinned Node, after the set-up it needs; `--machine` for what also needs the Debian packages.
 */
import { Refusal, pinnedNode, run, runMain } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  const machine = args[0] === '--machine'
  if (machine) args.shift()
  if (args.length === 0) throw new Refusal('usage: node scripts/run.mjs [--machine] FILE ARGS…')
  await setUp({ machine })
  return run(pinnedNode, args, { signals: true })
})
