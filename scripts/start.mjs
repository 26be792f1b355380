/** `npm start`: set-up, then the main job, told step by step, in the rack. */
import { inRoot, pinnedNode, run, runMain } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp({ machine: true })
  const demo = inRoot('src/tools/rack/demo.ts')
  return run(pinnedNode, [demo, ...process.argv.slice(2)], { signals: true })
})
