/** What an agent says of a unit that runs, where a test asks for nothing in particular. */
import type { MachineId } from '../../src/base/ids.ts'
import type { UnitStateRecord } from '../../src/core/records/schemas.ts'

export const runningState = (unit: string, machine: MachineId): UnitStateRecord => ({
  v: 1,
  unit,
  machine,
  generation: 1,
  hash: 'h',
  load: 'loaded',
  active: 'active',
  sub: 'running',
  containerId: '',
  image: '',
  imageDigest: '',
  restarts: 0,
  sinceMs: 0,
  message: '',
})
