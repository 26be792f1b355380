/**
 * What fleet's users rely on, on three hosts with real engines, as they would see it. Which story is
 * told where: docs/scenarios.md.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { sleep } from '../../src/ports/clock.ts'
import { agentReady, clusterStateDir, program } from '../../src/tools/rack/cluster.ts'
import { serveRegistry } from '../../src/tools/rack/demo/blank-steps.ts'
import { healthy } from '../../src/tools/rack/demo/cluster-steps.ts'
import {
  jangada,
  leaderOf,
  makeLeader,
  readyMachines,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { askNode, statusOf } from '../../src/tools/rack/demo/view.ts'
import { until } from '../../src/tools/rack/world.ts'
import { People, unitFile } from './people.ts'
import { ontoOwnDisk, stage, unitsOn } from './stage.ts'

t.setTimeout(600_000)

const hosts = ['n1', 'n2', 'n3']
const metadata = Object.fromEntries(
  hosts.map((hostname, at) => [hostname, { hostname, zone: at === 0 ? 'a' : 'b' }]),
)
const rack = await stage(t, { hosts: 3, cluster: { metadata } })
await statusThat(rack, 'n1', 'three voters', (status) => votersOf(status).length === 3)
const people = new People(rack, 'n1')
const plain = unitFile('')

/** A unit file where the hosts see it. */
async function fileOf(name: string, text: string): Promise<string> {
  const file = path.join(rack.spec.stateDir, name)
  await writeFile(file, text)
  return file
}

/** Ends the agent of n3; resolves when its successor answers, whatever it knows by then. */
async function restartAgent(signal: 'KILL' | 'TERM'): Promise<void> {
  const before = await rack.servicePid('n3', 'jangada')
  await rack.signalService('n3', 'jangada', signal)
  const wait = { what: 'another agent answers on n3', timeoutMs: 60_000, pollMs: 100 }
  await until(rack.clock, wait, async () => {
    const now = await rack.servicePid('n3', 'jangada')
    if (now === undefined || now === before) return undefined
    // Without a quorum it says that it is not well, which is an answer.
    return askNode(rack, 'n3', 'GET', '/health').catch((error: unknown) => {
      if (/\/health: 503/.test(String(error))) return 'not well'
      throw error
    })
  })
}

await t.test(
  'a template names the host of each instance; an impossible one says why',
  async (t) => {
    const file = await fileOf('on@.service', unitFile('MachineMetadata=hostname=%i'))
    await jangada(rack, 'n1', 'submit', file)
    await jangada(rack, 'n1', 'start', 'on@n{1..3}')
    const placesOf = await people.places()
    for (const host of hosts) t.equal(placesOf(`on@${host}.service`), host)
    const start = [program, 'start', 'on@nowhere', '--block-attempts', '2']
    const { code, stderr } = await rack.exec('n1', start)
    t.match({ code, stderr }, { code: 1, stderr: /it has no machine now/ })
    const why = await jangada(rack, 'n1', 'why', 'on@nowhere')
    t.equal(why.match(/hostname=nowhere; it is "n\d"/g)?.length, 3, 'a reason for each machine')
    await people.destroy(...['n1', 'n2', 'n3', 'nowhere'].map((each) => `on@${each}.service`))
  },
)

await t.test('submit, load, start and back: each verb takes a unit one state on', async (t) => {
  const file = await fileOf('web.service', plain)
  /** Resolves when the unit stands like this: what it has reached, its machine tells a moment later. */
  const say = async (words: readonly string[], desired: string): Promise<void> => {
    await jangada(rack, 'n1', ...words)
    const wait = { what: `web.service is ${desired}`, timeoutMs: 10_000, pollMs: 100 }
    await until(rack.clock, wait, async () => {
      const unit = await people.stateOf('web.service')
      return (unit?.desired ?? '') === desired && (unit?.state ?? '') === desired ? true : undefined
    })
    t.pass(words.join(' '))
  }
  await say(['submit', file], 'inactive')
  await say(['load', 'web'], 'loaded')
  t.equal((await people.places())('web.service'), '')
  await say(['start', 'web'], 'launched')
  await people.runOnce(['web.service'])
  await say(['stop', 'web'], 'loaded')
  t.equal((await people.places())('web.service'), '')
  await say(['unload', 'web'], 'inactive')
  await say(['start', 'web'], 'launched')
  const before = await healthy(rack, hosts)
  await writeFile(file, plain.replace('[Service]', '[Service]\nEnvironment=EDIT=1'))
  t.match(await rack.exec('n1', [program, 'start', file]), { code: 1, stderr: /JGD_UNIT_EXISTS/ })
  await say(['start', '--replace', file], 'launched')
  await people.runOnce(['web.service'])
  const [container = ''] = [...(await healthy(rack, hosts)).keys()]
  t.notOk(before.has(container), 'another container, by the time that it returns')
  await say(['destroy', 'web'], '')
  await people.runs('nothing', (placesOf) => placesOf('web.service') === '')
})

await t.test(
  'pairs stay together, and a global unit is on every host without its rival',
  async (t) => {
    for (const number of [1, 2, 3]) {
      await people.start(`main-${number}.service`, plain)
      await people.start(`aide-${number}.service`, unitFile(`MachineOf=main-${number}.service`))
    }
    await people.start('agent.service', unitFile('Global=true'))
    await people.start('rival.service', unitFile('Global=true\nConflicts=agent.service'))
    const pairs = [1, 2, 3].flatMap((number) => [
      `main-${number}.service`,
      `aide-${number}.service`,
    ])
    const placesOf = await people.runOnce(pairs)
    for (const number of [1, 2, 3]) {
      t.equal(placesOf(`aide-${number}.service`), placesOf(`main-${number}.service`))
    }
    await people.runs('everywhere', (placed) => placed('agent.service') === 'n1,n2,n3')
    t.equal((await people.places())('rival.service'), '')
    t.match((await people.why('rival.service')).join(), /agent\.service is there/)
  },
)

await t.test('conflicts: five that shun each other, and one that is shunned', async (t) => {
  const shy = [1, 2, 3, 4, 5].map((number) => `shy-${number}.service`)
  for (const name of shy) await people.start(name, unitFile('Conflicts=shy-*.service'))
  const three = (placesOf: (unit: string) => string): boolean =>
    shy.map(placesOf).toSorted().join() === ',,n1,n2,n3'
  const placesOf = await people.runs('three run, apart', three)
  const waiting = shy.filter((name) => placesOf(name) === '')
  for (const name of waiting)
    t.match(await people.why(name), Array(3).fill(/shy-\d.service is there/))
  const [gone = ''] = shy.filter((name) => placesOf(name) !== '')
  await people.destroy(gone)
  await people.runs('the place is taken', (placed) => waiting.some((name) => placed(name) !== ''))
  await people.destroy(...shy.filter((name) => name !== gone))

  const here = 'MachineMetadata=hostname=n2'
  await people.start('loud.service', unitFile(`${here}\nConflicts=quiet.service`))
  await people.runOnce(['loud.service'])
  await people.start('quiet.service', unitFile(here))
  t.match((await people.why('quiet.service')).join(), /loud\.service is there/)
  t.equal((await people.places())('quiet.service'), '')
  await people.destroy('loud.service')
  await people.runOnce(['quiet.service'])
  await people.destroy('quiet.service')
})

await t.test('Replaces moves its victim; two that replace each other do not chase', async (t) => {
  await people.start('old.service', unitFile('Strategy=pack'))
  const was = (await people.runOnce(['old.service']))('old.service')
  await people.start(
    'new.service',
    unitFile(`Replaces=old.service\nMachineMetadata=hostname=${was}`),
  )
  const isMoved = (placesOf: (unit: string) => string): boolean =>
    placesOf('new.service') === was && ![was, ''].includes(placesOf('old.service'))
  await people.runs('the victim is elsewhere', isMoved)
  await people.start('this.service', unitFile('Replaces=that.service'))
  await people.start('that.service', unitFile('Replaces=this.service'))
  await people.runOnce(['this.service', 'that.service'])
  const before = await healthy(rack, hosts)
  await sleep(rack.clock, 3000)
  t.same(await healthy(rack, hosts), before, 'three seconds later all is as it was')
  await people.destroy('old.service', 'new.service', 'this.service', 'that.service')
})

await t.test(
  'instances spread over zones; a port has one holder; a label that goes evicts',
  async (t) => {
    await people.submit('wide@.service', unitFile('Spread=zone'))
    const wide = [1, 2, 3, 4].map((number) => `wide@${number}.service`)
    for (const name of wide) await people.start(name)
    const spread = await people.runOnce(wide)
    t.equal(wide.filter((name) => spread(name) === 'n1').length, 2, 'two in each zone')
    const flags = '--pull never --publish 8080:80'
    await people.submit('port@.service', unitFile('', { flags }))
    const ports = [1, 2, 3, 4].map((number) => `port@${number}.service`)
    for (const name of ports) await people.start(name)
    const one = (placesOf: (unit: string) => string): boolean =>
      ports.map(placesOf).toSorted().join() === ',n1,n2,n3'
    const placesOf = await people.runs('one on each host', one)
    const left = ports.find((name) => placesOf(name) === '') ?? ''
    t.match(await people.why(left), Array(3).fill(/port 8080.* of the host is/))
    await people.destroy(...ports)

    await jangada(rack, 'n1', 'metadata', 'n1', 'disk=nvme')
    await people.start('fast.service', unitFile('MachineMetadata=disk=nvme'))
    t.equal((await people.runOnce(['fast.service']))('fast.service'), 'n1')
    const before = await healthy(rack, hosts)
    await jangada(rack, 'n1', 'metadata', 'n2', 'disk=nvme')
    await jangada(rack, 'n1', 'metadata', 'n1', 'disk=')
    await people.runs('it moves', (placed) => placed('fast.service') === 'n2')
    const after = await healthy(rack, hosts)
    const gone = [...before].filter(([id]) => !after.has(id)).map(([, text]) => text.split(' ')[0])
    t.same(gone, ['fast.service'], 'and nothing else')
    await people.destroy('fast.service', ...wide)
  },
)

await t.test(
  'a second machine with the id of one that lives is refused, and told whose it is',
  async (t) => {
    const token = (await jangada(rack, 'n1', 'token')).trim()
    const door = rack.host('n1').address
    const join = [
      program,
      'join',
      door,
      '--token',
      token,
      '--state-dir',
      '/tmp/twin',
      '--name',
      'twin',
    ]
    const { code, stderr } = await rack.exec('n3', join)
    t.equal(code, 1)
    t.match(stderr, /is that of n3 \(.*\), which is live in the cluster.*JGD_MACHINE_LIVE/s)
    t.same(readyMachines(await statusOf(rack, 'n1')).toSorted(), hosts)
  },
)

await t.test(
  'an image that nobody has: explained, nobody else waits, and it runs in the end',
  async (t) => {
    const before = await healthy(rack, hosts)
    const late = { flags: '--pull always', image: '127.0.0.1:5000/busybox:jangada' }
    await people.start('late.service', unitFile('MachineMetadata=hostname=n1', late))
    const wait = { what: 'it is said why', timeoutMs: 30_000, pollMs: 200 }
    await until(rack.clock, wait, async () => {
      const row = await people.row('late.service')
      return /127\.0\.0\.1:5000\/busybox:jangada/.test(row?.message ?? '') ? true : undefined
    })
    await people.start('other.service', plain)
    await people.runOnce(['other.service'])
    await serveRegistry(rack, 'n1')
    await people.runOnce(['late.service'])
    const after = await healthy(rack, hosts)
    for (const [id, text] of before) t.equal(after.get(id), text)
    await people.destroy('late.service')
  },
)

await t.test(
  'the agent dies twenty times under load, and the engine twice: no container notices',
  async (t) => {
    const before = await healthy(rack, hosts)
    const load = new AbortController()
    const writing = (async (): Promise<number> => {
      let writes = 0
      for (; !load.signal.aborted; writes += 1) {
        await people.submit(`load-${writes % 20}.service`, plain).catch(() => undefined)
        await sleep(rack.clock, 50)
      }
      return writes
    })()
    for (let round = 1; round <= 20; round += 1) {
      await restartAgent('KILL')
      if (round % 10 !== 0) continue
      await rack.signalService('n3', 'dockerd', 'KILL')
      await rack.hostUp('n3')
    }
    load.abort()
    t.comment(`${await writing} requests meanwhile`)
    await statusThat(rack, 'n1', 'n3 is ready', (seen) => readyMachines(seen).includes('n3'))
    await people.runs('all is as it was', (placesOf) => placesOf('agent.service') === 'n1,n2,n3')
    t.same(await healthy(rack, hosts), before, 'ids, start times and processes')
    t.notMatch(await jangada(rack, 'n1', 'events'), /n3 .*is lost/)
  },
)

await t.test(
  'all are cut from each other: nothing changes, and nothing flaps at the reunion',
  async (t) => {
    const before = await healthy(rack, hosts)
    // One change of the switch, so that no two are left together for longer than the third.
    await rack.partition(hosts, hosts)
    await statusThat(rack, 'n1', 'no quorum', ({ stale }) => stale !== false)
    await sleep(rack.clock, 8000)
    t.same(await healthy(rack, hosts), before, 'eight seconds without a leader')
    await rack.heal()
    await statusThat(
      rack,
      'n1',
      'a leader',
      ({ stale, leader }) => stale === false && leader !== null,
    )
    await sleep(rack.clock, 5000)
    t.same(await healthy(rack, hosts), before, 'and five seconds after')
    t.notMatch(await jangada(rack, 'n1', 'events'), /is lost/)
  },
)

await t.test(
  'a host is cut off and its agent stopped there: replaced, and older copies stop',
  async (t) => {
    if (leaderOf(await statusOf(rack, 'n1')) === 'n3') await makeLeader(rack, 'n1', 'n1')
    const slow = { service: 'Restart=always\nRestartSec=60', command: `sh -c 'exit 1'` }
    await people.start('fails.service', unitFile('MachineMetadata=hostname=n3', slow))
    await people.start('pinned.service', unitFile('MachineMetadata=hostname=n3'))
    await people.runOnce(['pinned.service'])
    const moved = (await unitsOn(rack, 'n3')).filter(
      (unit) => !['agent.service', 'pinned.service', 'fails.service'].includes(unit),
    )
    t.ok(moved.length > 0, moved.join(', '))
    // But for the one that fails, which comes and goes.
    const onN3 = async (): Promise<Map<string, string>> =>
      new Map([...(await healthy(rack, ['n3']))].filter(([, text]) => !text.startsWith('fails')))
    const there = await onN3()
    const others = ['n1', 'n2']
    const untouched = await healthy(rack, others)
    await rack.partition(['n3'], others)
    const placesOf = await people.runOnce(moved, others)
    for (const aide of moved.filter((unit) => unit.startsWith('aide'))) {
      t.equal(placesOf(aide), placesOf(aide.replace('aide', 'main')), `${aide} moved with its peer`)
    }
    t.same(await onN3(), there, 'the older copies run on')

    // It waits for the cluster, and one of its units for its restart: neither holds it up.
    await restartAgent('TERM')
    t.match(await rack.logs('n3', 'jangada', 200), /rack: jangada ended with 0/)
    t.same(await onN3(), there)
    const replaced = await healthy(rack, others)
    for (const [id, text] of untouched) t.equal(replaced.get(id), text)

    await rack.heal('n3')
    await people.runOnce([...moved, 'pinned.service'])
    const now = await healthy(rack, hosts)
    for (const [id, text] of replaced)
      t.equal(now.get(id), text, 'the replacements were not touched')
    const kept = [...there]
      .filter(([id]) => now.has(id))
      .map(([, text]) => text.split(' ')[0] ?? '')
    t.same(kept.toSorted(), ['agent.service', 'pinned.service'], 'what nobody replaced runs on')
    await people.destroy('fails.service')
  },
)

await t.test(
  'a disk is full: explained, what runs there runs on, and it is back with room',
  async (t) => {
    await rack.heal()
    await people.start('stays.service', unitFile('MachineMetadata=hostname=n3'))
    await people.runOnce(['stays.service'])
    await rack.sh('n3', ['bash', '-ec', ontoOwnDisk])
    await agentReady(rack, 'n3')
    const before = await statusThat(rack, 'n1', 'n3 votes from its own disk', (seen) => {
      return readyMachines(seen).includes('n3') && votersOf(seen).includes('n3')
    })
    const memberOf = ({ members }: typeof before) => members.find(({ name }) => name === 'n3')?.id
    const there = await healthy(rack, ['n3'])
    t.ok(there.size > 0)
    const fill = `dd if=/dev/zero of=${clusterStateDir}/filler bs=1M || true; sync`
    await rack.sh('n3', ['sh', '-c', fill])
    const wait = { what: 'n3 says that its disk is full', timeoutMs: 60_000, pollMs: 0 }
    // Its log has room of its own, which is used up first.
    const body = { value: 'x'.repeat(900_000) }
    await until(rack.clock, wait, async () => {
      await askNode(rack, 'n1', 'PUT', '/v1/kv?key=grows', body)
      return /JGD_DISK_FULL/.test(await rack.logs('n3', 'jangada', 50)) ? true : undefined
    })
    t.same(await healthy(rack, ['n3']), there, 'its containers run on')
    await rack.sh('n3', ['rm', `${clusterStateDir}/filler`])
    await agentReady(rack, 'n3')
    const after = await statusThat(rack, 'n1', 'n3 votes again', (seen) => {
      return readyMachines(seen).includes('n3') && votersOf(seen).includes('n3')
    })
    t.equal(memberOf(after), memberOf(before), 'as the member that it was')
    const pairs = [1, 2, 3].flatMap((number) => [
      `main-${number}.service`,
      `aide-${number}.service`,
    ])
    await people.runOnce(pairs)
  },
)
