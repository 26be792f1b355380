import t from 'tap'
import { assert } from '../../src/base/assert.ts'
import { clusterId, generation, machineId, unitName } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { parseUnit } from '../../src/core/units/unit.ts'
import { Starts } from '../../src/node/agent/starts.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { SimulatedEngine } from '../sim/engine.ts'

const file = '[Service]\nExecStart=/usr/bin/docker run --pull always busybox:jangada\n'

t.test('a start that is cancelled just as it begins to wait is cancelled, no more', async (t) => {
  const rejected: unknown[] = []
  const note = (reason: unknown): void => void rejected.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const containers = new SimulatedEngine({ time, random: random.fork() })
  const starts = new Starts({
    clusterId: clusterId('c'.repeat(32)),
    machineId: machineId('a'.repeat(32)),
    bootId: 'boot',
    host: { hostname: () => 'm1', readTextFile: async () => null },
    containers,
    pull: (...all) => containers.pull(...all),
    clock: new SimulatedClock(time, random.fork()),
    fence: { permit: async () => 0, guard: async () => undefined, started: () => undefined },
    isStopping: () => false,
  })
  const parsed = parseUnit('web.service', file)
  assert(parsed.ok, 'the unit is a good one')
  const cancel = new AbortController()
  const action = {
    kind: 'start',
    unit: unitName('web.service'),
    generation: generation(1),
    hash: 'h',
    restarts: 0,
    leftovers: [],
  } as const
  const tell = (): void => cancel.abort()
  const outcome = starts.start(action, parsed.spec, cancel.signal, { tell, isFetched: false })
  t.same(await time.runUntilSettled(outcome, 10_000), { kind: 'cancelled' })
  await time.runFor(10_000)
  t.same(rejected, [], 'and nothing is left that nobody handles')
})
