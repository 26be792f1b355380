/** A leader that comes after a storm has begun: it holds on to what the one before held on to. */
import t from 'tap'
import { term } from '../../../src/base/ids.ts'
import { events } from '../../../src/core/records/keyspace.ts'
import type { MachineRecord } from '../../../src/core/records/schemas.ts'
import type { ControllerContext } from '../../../src/node/controllers/context.ts'
import { StormBrake } from '../../../src/node/controllers/storm-brake.ts'
import { clock, makeNode, silent } from '../api/fixture.ts'

const lost = (agoMs: number): MachineRecord =>
  ({ status: 'lost', statusSinceMs: clock.wallMs() - agoMs }) as MachineRecord
const ready = { status: 'ready' } as MachineRecord

t.test('a new leader brakes for losses of before its time, until nobody waits', async (t) => {
  const node = await makeNode()
  const end = new AbortController()
  t.teardown(() => end.abort())
  const context = { ...node.context, log: silent } as unknown as ControllerContext
  const office = { signal: end.signal, term: term(1), tookOfficeMs: 0 }
  const told = async (): Promise<number> =>
    (await node.store.range(events.range, 'local')).items.length
  const before = await told()

  const brake = new StormBrake(context, office)
  const machines = [ready, ready, ...[120_000, 119_000, 118_000].map(lost)]
  t.equal(brake.allowance(machines), 25)
  brake.planned({ holdsBack: true })
  t.equal(brake.allowance(machines), 25)
  brake.planned({ holdsBack: true })
  t.equal(await told(), before + 1, 'people are told once')
  brake.planned({ holdsBack: false })
  t.equal(brake.allowance(machines), undefined, 'all that were lost then are placed')

  const other = new StormBrake(context, office)
  const overDays = [ready, ready, ...[86_400_000, 43_200_000, 1000].map(lost)]
  t.equal(other.allowance(overDays), undefined)
  const quiet = new StormBrake(context, office)
  quiet.allowance(machines)
  quiet.planned({ holdsBack: false })
  t.equal(await told(), before + 1, 'who waits for nobody says nothing')
})
