/** What becomes of a placement whose unit fails again and again, and of what the unit holds there. */
import t from 'tap'
import { featureLevel } from '../../../src/core/records/features.ts'
import {
  clusterSettings,
  crashes,
  leaving,
  placements,
  states,
} from '../../../src/core/records/keyspace.ts'
import type { RecordKind } from '../../../src/core/records/record.ts'
import type { ClusterSettingsRecord, PlacementRecord } from '../../../src/core/records/schemas.ts'
import type { ControllerContext } from '../../../src/node/controllers/context.ts'
import { CrashLoops } from '../../../src/node/controllers/crash-loops.ts'
import { UnitRules } from '../../../src/node/controllers/unit-rules.ts'
import type { UnitReport } from '../../../src/node/member/pulse-types.ts'
import { ids, makeNode, placement, state } from '../api/fixture.ts'

const loop = { active: 'activating', sub: 'auto-restart', crashLoop: 'run' } as const

/** A leader who hears of units of n1, which fail again and again there. */
async function leaderOf(level: number = featureLevel) {
  const node = await makeNode()
  const read = async <T, Parts extends readonly string[]>(
    kind: RecordKind<T, Parts>,
    ...parts: Parts
  ): Promise<T | undefined> => {
    const { items } = await node.store.range({ key: kind.key(...parts) }, 'local')
    return items[0] && kind.read(items[0])?.value
  }
  const settings = (await read(clusterSettings, 'cluster')) as ClusterSettingsRecord
  node.store.put(clusterSettings.put({ ...settings, featureLevel: level }, 'cluster'))
  const { term } = node.store.leadership
  const office = { term, tookOfficeMs: 0, signal: new AbortController().signal }
  const context = node.context as unknown as ControllerContext
  const loops = new CrashLoops(context, office, new UnitRules())
  const place = (unit: string, changes: Partial<PlacementRecord> = {}): void =>
    node.store.put(placement(unit, ids.n1, changes))
  /** Resolves when the leader has dealt with all of them. */
  const report = async (...units: readonly string[]): Promise<void> => {
    place('last.service')
    const reports: UnitReport[] = []
    for (const unit of [...units, 'last.service']) {
      node.store.put(state(node, unit, ids.n1, loop))
      const told = await read(states, ids.n1, unit)
      if (told !== undefined) reports.push({ kind: 'state', state: told })
    }
    loops.take(ids.n1, reports)
    while ((await read(placements, ids.n1, 'last.service')) !== undefined) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { read, place, report }
}

const needs = { memoryBytes: 1e9, nanoCpus: 0, ports: [{ port: '80/tcp', ip: '' }] }

t.test('what it reserves is held until nothing of it is left', async (t) => {
  const { read, place, report } = await leaderOf()
  place('port.service', { needs })
  place('bare.service')
  await report('port.service', 'bare.service')
  t.equal(await read(placements, ids.n1, 'port.service'), undefined)
  t.match(await read(leaving, ids.n1, 'port.service'), { needs })
  t.equal(await read(placements, ids.n1, 'bare.service'), undefined)
  t.equal(await read(leaving, ids.n1, 'bare.service'), undefined, 'it reserves nothing')
})

t.test('a release that does not know what leaves is told nothing of it', async (t) => {
  const { read, place, report } = await leaderOf(3)
  place('port.service', { needs })
  await report('port.service')
  t.equal(await read(placements, ids.n1, 'port.service'), undefined)
  t.equal(await read(leaving, ids.n1, 'port.service'), undefined)
})

t.test('one that must never run twice fails once, however often its machine says so', async (t) => {
  const { read, place, report } = await leaderOf()
  const failures = async () => (await read(crashes, 'alone.service'))?.failures.length
  place('alone.service', { needs, fence: { graceMs: 0 } })
  await report('alone.service')
  t.equal(await failures(), 1)
  const told = await read(placements, ids.n1, 'alone.service')
  t.match(
    told,
    { desired: 'loaded', fence: { leaving: true }, needs },
    'it has its room until then',
  )
  await report('alone.service')
  t.equal(await failures(), 1)
})
