import t from 'tap'
import type {
  MachineRecord,
  PlacementRecord,
  UnitRecord,
} from '../../../src/core/records/schemas.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { snapshotOf } from '../../../src/node/controllers/snapshot.ts'
import { toSchedulerUnit } from '../../../src/node/controllers/unit-rules.ts'

const id = 'a'.repeat(32)
const machine: MachineRecord = {
  v: 1,
  id,
  name: 'n1',
  address: '10.77.0.1',
  keyHash: 'b'.repeat(64),
  metadata: { 'capacity.cpus': '50%' },
  status: 'ready',
  statusSinceMs: 1,
  bootId: 'boot',
  cpus: 4,
  memoryBytes: 1024,
  roleCeiling: 'voter',
  durable: true,
  version: '0.1.0',
  liveRestore: true,
}
const unit = (name: string, file: string, desired: UnitRecord['desired']): UnitRecord => ({
  v: 1,
  name,
  file,
  hash: 'h',
  desired,
  submittedMs: 1,
})
const placed = (name: string): PlacementRecord => ({
  v: 1,
  unit: name,
  machine: id,
  desired: 'launched',
  hash: 'h',
  placedMs: 1,
})

t.test(
  'what a newer release has written, and this one cannot read, stays where it is',
  async (t) => {
    const plain = '[Service]\nExecStart=/usr/bin/docker run busybox\n'
    const ofTomorrow = '[Pod]\nImage=busybox\n'
    const snapshot = snapshotOf(
      {
        machines: [machine],
        units: [
          unit('a.service', plain, 'launched'),
          unit('b.service', ofTomorrow, 'launched'),
          unit('c.service', ofTomorrow, 'inactive'),
          unit('t@.service', plain, 'inactive'),
        ],
        placements: ['a.service', 'b.service', 'c.service', 'ghost.service'].map(placed),
        crashOf: () => undefined,
        leaving: [],
        volumes: [],
      },
      toSchedulerUnit,
      0,
    )
    t.same(
      plan(snapshot).decisions.map(({ kind, unit: name }) => `${kind} ${name}`),
      ['unplace c.service', 'unplace ghost.service'],
      'only what nobody wants leaves',
    )
    t.same(snapshot.machines[0]?.capacity, { memoryBytes: 1024, nanoCpus: 2e9 })
  },
)
