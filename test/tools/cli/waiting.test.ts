/** Who waits for a unit, or asks why it has no place, is told what stands against it. */
import t from 'tap'
import type { CliEnvironment } from '../../../src/tools/cli/environment.ts'
import { ids, machine, placement, state, unitFile } from '../../node/api/fixture.ts'
import { makeDesk, runUnits } from './fixture.ts'

t.test('a wait may be counted in looks, as fleetctl does', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node, () => 'nowhere')
  files.set('lost.service', unitFile())
  let looks = 0
  let nowMs = 0
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      looks += 1
      nowMs += ms
    },
  }
  t.match(await say('start lost.service --block-attempts=3', clock), { code: 1, err: /time is up/ })
  t.equal(looks, 3)
  t.match(await say('start lost.service --block-attempts=x'), { code: 2 })
})

t.test(
  'who waits is told why a unit has no machine, and again when the reason changes',
  async (t) => {
    const { node, files, say } = await makeDesk(t)
    runUnits(t, node, () => 'nowhere')
    files.set('lost.service', unitFile('busybox', '[X-Fleet]\nMachineMetadata=disk=hdd\n'))
    for (let at = 1; at <= 30; at += 1) {
      files.set(
        `many@${at}.service`,
        unitFile('busybox', `[X-Fleet]\nMachineMetadata=disk=${at}\n`),
      )
    }
    let nowMs = 0
    let said = ''
    const clock = (thenMs = Infinity, change = (): void => undefined): Partial<CliEnvironment> => ({
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms
        if (nowMs >= thenMs) change()
      },
      stderr: (text) => {
        said += text
      },
    })
    const lines = (): string[] =>
      said.split('\n').filter((line) => line.includes('is not placed: '))
    const words = 'start lost.service --timeout 60'
    await say(
      words,
      clock(30_000, () => node.store.put(machine(ids.n1, 'n1', { metadata: { disk: 'sdd' } }))),
    )
    t.equal(lines().length, 2, said)
    t.match(lines()[0], /^lost\.service is not placed: n1: .*disk=hdd.*; n2: .*"ssd"/)
    t.match(lines()[1], /n1: .*disk=hdd.*"sdd"/)
    t.ok(said.indexOf(lines()[0]!) < said.indexOf('time is up'))
    t.equal(said.match(/waiting up to 60 s for that to change/g)?.length, 1, said)

    said = ''
    await say(`${words} --json`, clock())
    t.same(lines(), [], 'programs read the answer')
    files.set('soon.service', unitFile())
    await say('start soon.service --timeout 60', clock())
    t.same(lines(), [], 'one that a machine may run is about to be placed')

    said = ''
    await say('start many@{1..30}.service --timeout 5', clock())
    const early = lines()
    t.ok(
      early.length > 3 && early.length < 10,
      `a look at all of a cluster is not had in plenty: ${said}`,
    )
    t.equal(new Set(early).size, early.length, 'another one each time')
    said = ''
    await say('start many@{1..30}.service --timeout 30', clock())
    t.equal(lines().length, 20, 'a wait tells no more')
    t.match(said, /further reasons are not told here/)
  },
)

t.test('what a unit asks for and there is not, is said to be none', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node, () => 'nowhere')
  const nobody = 'f'.repeat(32)
  files.set('typo.service', unitFile('busybox', '[X-Fleet]\nMachineOf=nosuch.service\n'))
  files.set('gone.service', unitFile('busybox', `[X-Fleet]\nMachineID=${nobody}\n`))
  await say('start --no-block typo.service gone.service')
  t.match((await say('why typo')).out, /MachineOf: there is no unit nosuch\.service/)
  t.match((await say('why gone')).out, `MachineID asks for ${nobody}, which is no machine of this`)
})

t.test('a reason calls a machine by its name', async (t) => {
  const { node, files, say } = await makeDesk(t)
  files.set('main.service', unitFile('busybox'))
  files.set('aide.service', unitFile('busybox', '[X-Fleet]\nMachineOf=main.service\n'))
  await say('start --no-block main.service aide.service')
  node.store.put(placement('main.service', ids.n1))
  t.match((await say('why aide')).out, /MachineOf: main\.service is on n1\n/)
})

t.test('an instance whose template is no unit, but a file here, is told so', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set('port@.service', unitFile())
  const { code, err } = await say('start port@1')
  t.equal(code, 1)
  t.match(err, /a file port@\.service is here.*\nnext: .*\.\/ before the name/)
  t.match((await say('start port@1.service nosuch')).err, /nosuch.*no file of that name here/)
})

t.test('who waits is told what a unit is about that takes its time', async (t) => {
  const { node, files, say } = await makeDesk(t)
  files.set('slow.service', unitFile())
  node.store.put(placement('slow.service', ids.n1))
  let nowMs = 0
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms
    if (nowMs === 1000) {
      const look = { active: 'activating', sub: 'pulling', message: 'busybox: 3 of 9 MB' } as const
      node.store.put(state(node, 'slow.service', ids.n1, { ...look, containerId: '' }))
    }
    if (nowMs === 8000) node.store.put(state(node, 'slow.service', ids.n1))
  }
  const { code, err } = await say('start slow.service', { sleep, monotonicMs: () => nowMs })
  t.equal(code, 0)
  t.equal(err, 'slow.service is still activating (pulling) on n1 (10.77.0.1): busybox: 3 of 9 MB\n')
})
