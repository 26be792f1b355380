/**
 * `node scripts/run.mjs [--machine] [--as-binary] FILE ARGS…`: runs a TypeScript file of the project
 * on the pinned Node, after the set-up it needs; `--machine` for what also needs the Debian
 * packages, `--as-binary` with the engine's flags that the binary has.
 */
import { Refusal, pinnedNode, run, runMain } from './lib/project.mjs'
import { engineFlags } from './lib/binary.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  const take = (option) => args[0] === option && args.shift() !== undefined
  const machine = take('--machine')
  const flags = take('--as-binary') ? engineFlags : []
  if (args.length === 0) {
    throw new Refusal('usage: node scripts/run.mjs [--machine] [--as-binary] FILE ARGS…')
  }
  await setUp({ machine })
  return run(pinnedNode, [...flags, ...args], { signals: true })
})
