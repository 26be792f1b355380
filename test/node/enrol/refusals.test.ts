import t from 'tap'
import { events } from '../../../src/core/records/keyspace.ts'
import { RefusalLog } from '../../../src/node/enrol/refusals.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { makeNode, silent } from '../api/fixture.ts'

t.test('one who asks again and again is told of once, and counted', async (t) => {
  const node = await makeNode()
  let nowMs = 0
  const clock: Clock = { ...node.context.clock, monotonicMs: () => nowMs }
  const log = new RefusalLog({
    store: node.store,
    clock,
    entropy: node.context.entropy,
    log: silent,
  })
  const refuse = async (from: string): Promise<void> => {
    const attempt = { code: 'JGD_KEY_UNKNOWN', message: 'its key is not listed' } as const
    t.match(await log.refuse({ ...attempt, machineId: 'a'.repeat(32), remoteAddress: from }), {
      code: 'JGD_KEY_UNKNOWN',
    })
  }
  const told = async (): Promise<string[]> => {
    const { items } = await node.store.range(events.range, 'local')
    const all = items.flatMap((item) => events.read(item)?.value ?? [])
    return all.filter(({ kind }) => kind === 'trust.refused').map(({ message }) => message)
  }
  for (let at = 0; at < 100; at += 1) {
    await refuse('10.0.0.7')
    nowMs += 1000
  }
  t.same(await told(), ['10.0.0.7: its key is not listed'])
  await refuse('10.0.0.8')
  t.equal((await told()).length, 2, 'another is told of too')
  nowMs += 600_000
  await refuse('10.0.0.7')
  t.equal((await told()).at(-1), '10.0.0.7: its key is not listed (and 99 times before)')
})
