/** `npm run setup`: everything that any other command needs, and nothing when it is there. */
import { runMain, say } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp({ machine: true })
  say('set-up: complete')
})
