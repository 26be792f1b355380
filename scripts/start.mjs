/** `npm start`: set-up, then the main job, told step by step, in the rack. */
import { inRoot, pinnedNode, run, runMain } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

const help = `npm start -- [--keep] [--no-blank] [--json FILE] [--rack NAME]

  --keep        leave the cluster up, and say how to talk to it
  --no-blank    without the blank machine
  --json FILE   write the steps
  --rack NAME   the rack's name; one of that name that is still up is taken down first
`

await runMain(async () => {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(help)
    return 0
  }
  await setUp({ machine: true })
  const demo = inRoot('src/tools/rack/demo.ts')
  return run(pinnedNode, [demo, ...process.argv.slice(2)], { signals: true })
})
