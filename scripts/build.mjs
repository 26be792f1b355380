/** `npm run build`: dist/jangada. */
import { buildBinary } from './lib/binary.mjs'
import { runMain, say } from './lib/project.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp({ machine: true })
  say(await buildBinary())
})
