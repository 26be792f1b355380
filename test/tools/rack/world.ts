/** The real world for tests of the rack, silent. */
import { systemClock } from '../../../src/platform/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import type { RackWorld } from '../../../src/tools/rack/world.ts'

const silence: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silence,
}

export const realWorld = (): RackWorld => ({ clock: systemClock(), log: silence })
