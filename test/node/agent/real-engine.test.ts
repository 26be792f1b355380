/** The agent with a real Docker engine: what the simulated one cannot show. */
import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { clusterId, machineId } from '../../../src/base/ids.ts'
import * as keyspace from '../../../src/core/records/keyspace.ts'
import { Agent } from '../../../src/node/agent/agent.ts'
import { dockerContainers } from '../../../src/platform/docker.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { systemHost } from '../../../src/platform/host.ts'
import { engineSocket } from '../../../src/tools/rack/engine.ts'
import { rackDown, rackUp } from '../../../src/tools/rack/lifecycle.ts'
import { until } from '../../../src/tools/rack/world.ts'
import { noMetrics } from '../../sim/quiet.ts'
import { LocalStore } from '../../support/local-store.ts'
import { SimulatedDisk } from '../../sim/disk.ts'
import { realWorld } from '../../tools/rack/world.ts'

t.setTimeout(120_000)
const own = machineId('1'.repeat(32))
const world = realWorld()
const name = `a${process.pid}`
t.teardown(() => rackDown(world, { name }))
const rack = await rackUp(world, { name, hosts: 1 })
const { initPid } = await rack.status('n1')
const store = new LocalStore()

const makeAgent = (): Agent =>
  new Agent({
    machineId: own,
    clusterId: clusterId('c'.repeat(32)),
    store,
    containers: dockerContainers({ socketPath: engineSocket(initPid ?? 0) }),
    disk: new SimulatedDisk(new SeededRandom(1)).mount(),
    fencer: { tell: () => Promise.reject(new Error('no fencer')) },
    clock: world.clock,
    entropy: kernelEntropy(),
    host: systemHost(),
    log: world.log,
    metrics: noMetrics,
    facts: {
      name: 'n1',
      address: '10.0.0.1',
      keyHash: 'a'.repeat(64),
      metadata: {},
      durable: true,
      version: '0.1.0',
    },
    pulses: { targets: () => [], send: () => Promise.reject(new Error('no voter')) },
    memberId: () => 0,
    machineCount: () => 1,
  })

function place(unit: string, command: string, lines: readonly string[] = []): void {
  const run = `ExecStart=/usr/bin/docker run --name=it ${command}`
  const file = ['[Service]', run, ...lines].join('\n')
  const shared = { v: 1, hash: file.length.toString(), desired: 'launched' } as const
  store.put(
    keyspace.units.put({ ...shared, name: unit, file, submittedMs: 0 }, unit),
    keyspace.placements.put({ ...shared, unit, machine: own, placedMs: 0 }, own, unit),
  )
}

let agent = makeAgent()
t.teardown(() => agent.stop())
agent.start()

const word = (unit: string): string => {
  const state = agent.unitStates().find((each) => each.unit === unit)
  return state === undefined ? '' : `${state.active}/${state.sub}`
}
const untilWord = (unit: string, expected: string): Promise<true> =>
  until(
    world.clock,
    {
      what: `${unit} is ${expected}`,
      timeoutMs: 20_000,
      evidence: () => Promise.resolve(JSON.stringify(agent.unitStates())),
    },
    async () => (word(unit) === expected ? true : undefined),
  )

await t.test('units run as Docker itself tells it', async (t) => {
  const startedMs = world.clock.monotonicMs()
  for (const unit of ['a.service', 'b.service', 'c.service']) {
    place(unit, 'busybox:jangada sleep 1000', ['ExecStop=/usr/bin/docker stop -t 1 it'])
  }
  for (const unit of ['a.service', 'b.service', 'c.service']) {
    await untilWord(unit, 'active/running')
  }
  t.comment(`three units ran after ${Math.round(world.clock.monotonicMs() - startedMs)} ms`)
  const format = '{{.Label "jangada.unit"}} {{.State}}'
  const said = await rack.sh('n1', ['docker', 'ps', '--format', format])
  t.same(said.trim().split('\n').toSorted(), [
    'a.service running',
    'b.service running',
    'c.service running',
  ])
  const policy = ['docker', 'inspect', '-f', '{{.HostConfig.RestartPolicy.Name}}']
  const ids = agent.unitStates().map(({ containerId }) => containerId)
  t.notMatch(await rack.sh('n1', [...policy, ...ids]), /always|unless|failure/)
})

await t.test('a container says who it is, and its output is read', async (t) => {
  place('say.service', "busybox:jangada sh -c 'env; sleep 1000'")
  await untilWord('say.service', 'active/running')
  const { generation } = agent.unitStates().find(({ unit }) => unit === 'say.service') ?? {}
  const read = async (): Promise<string> => {
    const parts: Uint8Array[] = []
    const options = { tail: 100, follow: false }
    const output = agent.logs('say.service', options, new AbortController().signal)
    for await (const part of output) parts.push(part)
    return Buffer.concat(parts).toString()
  }
  const wait = { what: 'it has spoken', timeoutMs: 10_000 }
  const text = await until(world.clock, wait, async () => (await read()) || undefined)
  t.match(text, /JANGADA_UNIT=say.service\n/)
  t.match(text, new RegExp(`JANGADA_GENERATION=${generation}\n`))
  t.match(text, new RegExp(`JANGADA_MACHINE=${own}\n`))
})

await t.test('what fails is told with what it said last', async (t) => {
  // On one stream: an engine does not keep the order between the two.
  place('dying.service', "busybox:jangada sh -c 'echo well >&2; echo the disk is gone >&2; exit 3'")
  const message = (): string | undefined =>
    agent.unitStates().find(({ unit }) => unit === 'dying.service')?.message
  const evidence = (): Promise<string> => Promise.resolve(message() ?? '')
  const wait = { what: 'it has said why', timeoutMs: 20_000, evidence }
  const said = 'exit code 3: "the disk is gone"'
  t.ok(await until(world.clock, wait, async () => message() === said || undefined))
})

await t.test('a new agent adopts them all, and restarts what dies', async (t) => {
  const ids = (): Promise<string> => rack.sh('n1', ['docker', 'ps', '-q', '--no-trunc'])
  const before = await ids()
  await agent.stop()
  agent = makeAgent()
  agent.start()
  await untilWord('a.service', 'active/running')
  t.equal(await ids(), before)

  place('again.service', 'busybox:jangada sleep 1000', ['Restart=always'])
  await untilWord('again.service', 'active/running')
  const seen = agent.unitStates().find(({ unit }) => unit === 'again.service')?.containerId ?? ''
  await rack.sh('n1', ['docker', 'kill', seen])
  const wait = { what: 'it runs again', timeoutMs: 10_000 }
  await until(world.clock, wait, async () => {
    const state = agent.unitStates().find(({ unit }) => unit === 'again.service')
    return state?.active === 'active' && state.containerId !== seen ? true : undefined
  })
})

await t.test('what is not placed here any more is gone from the engine', async (t) => {
  const placed = agent.unitStates().map(({ unit }) => unit)
  const [kept = '', ...gone] = placed.filter((unit) => /^[abc]\./.test(unit))
  for (const unit of gone) store.put({ kind: 'delete', key: keyspace.placements.key(own, unit) })
  const wait = { what: 'they are gone', timeoutMs: 20_000 }
  await until(world.clock, wait, async () => {
    const units = agent.unitStates().map(({ unit }) => unit)
    return gone.every((unit) => !units.includes(unit)) ? true : undefined
  })
  const format = '{{.Label "jangada.unit"}}'
  const said = await rack.sh('n1', ['docker', 'ps', '-a', '--format', format])
  t.ok(said.includes(kept))
  for (const unit of gone) t.notOk(said.includes(unit))
})
