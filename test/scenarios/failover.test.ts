/** Three hosts with real engines: rules, power cuts, an agent that is killed. */
import t, { type Test } from 'tap'
import type { StatusReport } from '../../src/node/api/answers.ts'
import { agentReady, clusterStateDir } from '../../src/tools/rack/cluster.ts'
import { allAgree, healthy } from '../../src/tools/rack/demo/cluster-steps.ts'
import { cutAndWatch, movable } from '../../src/tools/rack/demo/failover.ts'
import {
  leaderOf,
  makeLeader,
  readyMachines,
  rulesKept,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { containersOn, isRunning, statusOf } from '../../src/tools/rack/demo/view.ts'
import { until } from '../../src/tools/rack/world.ts'
import { killAgent, mendDisk, ontoOwnDisk, stage, startExamples, unitsOn } from './stage.ts'

t.setTimeout(400_000)

const hosts = ['n1', 'n2', 'n3']
const metadata = { n2: { disk: 'ssd' }, n3: { disk: 'ssd' } }
const rack = await stage(t, { hosts: 3, cluster: { metadata } })
await statusThat(rack, 'n1', 'three voters', (status) => votersOf(status).length === 3)

const scene = await startExamples(rack)
t.pass('the examples run where their rules allow it, and nowhere else')

/** Cuts the power of `victim`, sees its work go on elsewhere, and the machine come back. */
async function cutAndReturn(t: Test, victim: string): Promise<void> {
  const others = hosts.filter((name) => name !== victim)
  const [asked = ''] = others
  const lost = (await unitsOn(rack, victim)).filter((unit) => {
    const rules = scene.units.get(unit)
    return rules !== undefined && movable(rules)
  })
  t.ok(lost.length > 0, `${victim} has work that can move: ${lost.join(', ')}`)
  const untouched = await healthy(rack, others)

  const { replacements } = await cutAndWatch(rack, victim, others, lost)
  const seconds = ((replacements.at(-1)?.afterMs ?? 0) / 1000).toFixed(2)
  t.comment(`${lost.length} units ran elsewhere ${seconds} s after the cut`)
  const status = await statusThat(rack, asked, 'another leads', (seen) => {
    return seen.leader !== null && seen.leader.name !== victim
  })
  t.notOk(readyMachines(status).includes(victim), `${victim} does not count as ready`)
  await rulesKept(scene, others)
  t.pass('every rule holds on the two that are left')

  await rack.powerOn(victim)
  await statusThat(rack, asked, `${victim} returns`, (seen) => {
    return readyMachines(seen).includes(victim) && votersOf(seen).includes(victim)
  })
  await allAgree(rack, hosts)
  await rulesKept(scene, hosts)
  t.pass('it is back, no unit runs twice, and every rule holds')
  const now = await healthy(rack, others)
  for (const [id, since] of untouched) t.equal(now.get(id), since, `${since}: never touched`)
}

await t.test('a follower loses its power', async (t) => {
  const leader = leaderOf(await statusOf(rack, 'n1'))
  const [follower = ''] = hosts.filter((name) => name !== leader)
  await cutAndReturn(t, follower)
})

await t.test('the leader loses its power', async (t) => {
  const leader = leaderOf(await statusThat(rack, 'n1', 'a leader', (seen) => seen.leader !== null))
  // It may have become idle by its own power cut before: then another leads from here on.
  const busy =
    (await Promise.all(hosts.map(async (name) => [name, await unitsOn(rack, name)] as const)))
      .toSorted(([, a], [, b]) => b.length - a.length)
      .map(([name]) => name)[0] ?? leader
  await makeLeader(rack, busy, leader)
  await cutAndReturn(t, busy)
})

for (const signal of ['KILL', 'TERM'] as const) {
  await t.test(`the agent ends by SIG${signal}: its successor adopts what runs`, async (t) => {
    const before = await healthy(rack, ['n3'])
    t.ok(before.size > 0)
    await killAgent(rack, 'n3', signal)
    const { units } = await statusThat(rack, 'n3', 'it knows again what runs', (seen) => {
      const own = seen.units.filter(({ machineName }) => machineName === 'n3')
      return seen.stale === false && own.every(({ active }) => active === 'active')
    })
    t.equal(units.filter(({ machineName }) => machineName === 'n3').length, before.size)
    t.same(await healthy(rack, ['n3']), before, 'the same containers, started when they were')
  })
}

await t.test('what was adopted is cared for: a container that dies is started again', async (t) => {
  const running = (await containersOn(rack, ['n3'])).filter(isRunning)
  const victim = running.find(
    ({ unit }) => unit.startsWith('hello@') || unit === 'node-agent.service',
  )
  if (victim === undefined) return t.fail('n3 has a unit with Restart=always')
  await rack.sh('n3', ['docker', 'kill', victim.id])
  const wait = { what: `${victim.unit} runs again`, timeoutMs: 30_000 }
  const next = await until(rack.clock, wait, async () => {
    const now = (await containersOn(rack, ['n3'])).filter(isRunning)
    return now.find(({ unit }) => unit === victim.unit)
  })
  t.not(next.id, victim.id)
  return rulesKept(scene, hosts)
})

await t.test('the engine is killed: containers go on, and are found as they were', async (t) => {
  const before = await healthy(rack, ['n3'])
  await rack.signalService('n3', 'dockerd', 'KILL')
  await agentReady(rack, 'n3')
  await rack.hostUp('n3')
  await rulesKept(scene, hosts)
  t.same(await healthy(rack, ['n3']), before)
})

/** No unit but the global one runs on two machines. */
function noneTwice(): Promise<true> {
  const wait = { what: 'no unit runs twice', timeoutMs: 30_000 }
  return until(rack.clock, wait, async () => {
    const running = (await containersOn(rack, hosts)).filter(isRunning)
    const units = running.map(({ unit }) => unit).filter((unit) => !scene.units.get(unit)?.global)
    return new Set(units).size === units.length ? true : undefined
  })
}

await t.test('the disk of a member fails: it ends, and no container with it', async (t) => {
  await rack.sh('n3', ['bash', '-ec', ontoOwnDisk])
  const isMember = (seen: StatusReport): boolean =>
    readyMachines(seen).includes('n3') && votersOf(seen).includes('n3')
  const before = await statusThat(rack, 'n1', 'n3 votes from its own disk', isMember)
  const memberOf = ({ members }: StatusReport) => members.find(({ name }) => name === 'n3')?.id
  await agentReady(rack, 'n3')
  await allAgree(rack, hosts)
  const running = await healthy(rack, ['n3'])
  t.ok(running.size > 0)
  const first = await rack.servicePid('n3', 'jangada')
  await rack.sh('n3', ['xfs_io', '-x', '-c', 'shutdown', clusterStateDir])
  // A cluster at rest writes nothing, and a disk is known to have failed when it is written to.
  await rack.sh('n1', ['jangada', 'kv', 'put', 'disk', 'written'])
  const wait = { what: 'the member has ended', timeoutMs: 30_000 }
  await until(rack.clock, wait, async () =>
    (await rack.servicePid('n3', 'jangada')) === first ? undefined : true,
  )
  // Its agent cannot come back: after ten seconds that is no restart any more.
  await statusThat(rack, 'n1', 'n3 is missed', (seen) => !readyMachines(seen).includes('n3'))
  t.same(await healthy(rack, ['n3']), running, 'its containers run as if nothing were')

  // What may run elsewhere does by then.
  await rulesKept(scene, ['n1', 'n2'])

  // What people would do: see the kernel log, and mount the file system anew.
  await rack.sh('n3', ['bash', '-ec', mendDisk])
  const after = await statusThat(rack, 'n1', 'n3 votes again', isMember)
  t.equal(memberOf(after), memberOf(before), 'as the member that it was')
  await allAgree(rack, hosts)
  // What had been moved away ran on here, and goes now.
  await noneTwice()
  await rulesKept(scene, hosts)
  return t.pass('what was acknowledged was on the disk, and every rule holds')
})
