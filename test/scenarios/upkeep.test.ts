/**
 * What people do to machines and what units do to themselves, on three hosts with real engines: a host is
 * emptied and filled again, a unit fails everywhere, another takes its time to stop, a volume waits.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { sleep } from '../../src/ports/clock.ts'
import { program } from '../../src/tools/rack/cluster.ts'
import { healthy } from '../../src/tools/rack/demo/cluster-steps.ts'
import {
  jangada,
  leaderOf,
  readyMachines,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../src/tools/rack/demo/view.ts'
import { until } from '../../src/tools/rack/world.ts'
import { People, unitFile } from './people.ts'
import { killAgent, stage, unitsOn } from './stage.ts'

t.setTimeout(600_000)

const hosts = ['n1', 'n2', 'n3']
const metadata = Object.fromEntries(hosts.map((hostname) => [hostname, { hostname }]))
const rack = await stage(t, { hosts: 3, cluster: { metadata } })
const seen = await statusThat(rack, 'n1', 'three voters', (status) => votersOf(status).length === 3)
const leader = leaderOf(seen) ?? 'n1'
const people = new People(rack, leader)
/** Hosts of which none leads: what is done to them needs no election. */
const [away = '', other = ''] = hosts.filter((name) => name !== leader)
const on = (host: string): string => `MachineMetadata=hostname=${host}`

/** As process 1 of its container a shell does not hear SIGTERM: it takes all of its grace. */
const stubborn = (rules: string, graceSec: number, flags = ''): string =>
  unitFile(rules, {
    service: `Restart=always`,
    flags: `--pull never ${flags}`,
    command: `sh -c 'while :; do sleep 1; done'`,
  }).replace('TimeoutStopSec=5', `TimeoutStopSec=${graceSec}`)

const web = [1, 2, 3, 4, 5, 6].map((number) => `web@${number}.service`)

await t.test(
  'a host is emptied, each replacement first, and what can wait no more goes',
  async (t) => {
    await people.submit('web@.service', unitFile('MinAvailable=5'))
    for (const name of web) await people.start(name)
    await people.runOnce(web)
    await people.start('here.service', stubborn(on(away), 3))
    await people.runOnce(['here.service'])
    t.ok((await unitsOn(rack, away)).length > 1, `${away} has work`)

    /** How few of the six ran at any look. */
    let fewest = web.length
    const count = (placesOf: (unit: string) => string): number =>
      web.filter((name) => placesOf(name) !== '').length
    const askedMs = rack.clock.monotonicMs()
    const draining = jangada(rack, leader, 'drain', away, '--deadline', '12s')
    await people.runs('the others have moved', (placesOf) => {
      fewest = Math.min(fewest, count(placesOf))
      return web.every((name) => ![away, ''].includes(placesOf(name)))
    })
    t.equal(fewest, web.length, 'each ran at every look')
    t.equal((await people.places())('here.service'), away, 'what has no other place stays, for now')
    await draining
    const isGone = (placesOf: (unit: string) => string): boolean => placesOf('here.service') === ''
    await people.runs('the deadline passes', isGone)
    t.ok(rack.clock.monotonicMs() - askedMs > 12_000, 'not before')

    await killAgent(rack, away, 'KILL')
    await people.start('late.service', unitFile('Strategy=spread'))
    t.not(
      (await people.runOnce(['late.service']))('late.service'),
      away,
      'it takes nothing, restarted or not',
    )
    await jangada(rack, leader, 'undrain', away)
    await people.runOnce(['here.service'])
    await people.destroy('here.service', 'late.service')
  },
)

await t.test('the emptied host is filled again when people say so', async (t) => {
  t.same(await unitsOn(rack, away), [], 'nothing comes back by itself')
  t.match(await jangada(rack, leader, 'rebalance'), /2 would move/)
  t.same(await unitsOn(rack, away), [], 'asking changes nothing')
  t.match(await jangada(rack, leader, 'rebalance', '--apply'), new RegExp(`to ${away}`))
  await people.runOnce(web)
  t.equal((await unitsOn(rack, away)).length, 2)
  t.match(await jangada(rack, leader, 'rebalance'), /as well placed as it can be/)
  await people.destroy(...web)
})

await t.test(
  'who fails is tried on every host, no one twice, and runs once it is mended',
  async (t) => {
    await people.start('good.service', unitFile(''))
    await people.runOnce(['good.service'])
    const before = await healthy(rack, hosts)
    const bad = unitFile('', { service: 'Restart=always\nRestartSec=0', command: `sh -c 'exit 3'` })
    await people.start('bad.service', `[Unit]\nStartLimitBurst=2\n${bad}`)
    const wait = { what: 'three hosts were tried', timeoutMs: 90_000, pollMs: 300 }
    const tried = await until(rack.clock, wait, async () => {
      const { events } = await statusOf(rack, leader)
      const told = events.filter(
        ({ kind, unit }) => kind === 'unit.crash-loop' && unit === 'bad.service',
      )
      return told.length >= 3 ? told.slice(0, 3) : undefined
    })
    t.equal(new Set(tried.map(({ machine }) => machine)).size, 3, 'each of them once')
    const pauses = tried.map(({ atMs }, at) => atMs - (tried[at - 1]?.atMs ?? atMs)).slice(1)
    t.ok(
      (pauses[1] ?? 0) > (pauses[0] ?? 0),
      `after longer and longer pauses: ${pauses.join(', ')} ms`,
    )
    t.match((await people.why('bad.service')).join('\n'), /fail/)
    const file = path.join(rack.spec.stateDir, 'bad.service')
    await writeFile(file, unitFile(''))
    await jangada(rack, leader, 'start', '--replace', file)
    await people.runOnce(['bad.service'])
    for (const [id, text] of before) t.equal((await healthy(rack, hosts)).get(id), text)
    await people.destroy('bad.service', 'good.service')
  },
)

await t.test('what is being stopped holds its port until its container has ended', async (t) => {
  const port = '--publish 8081:80'
  await people.start('old.service', stubborn(on(other), 8, port))
  await people.runOnce(['old.service'])
  await rack.exec(leader, [program, 'unload', '--no-block', 'old'])
  await people.start('next.service', stubborn(on(other), 1, port))
  await sleep(rack.clock, 3000)
  const placesOf = await people.places()
  t.same([placesOf('old.service'), placesOf('next.service')], [other, ''], 'it takes its time')
  t.match(
    (await people.why('next.service')).join('\n'),
    /old\.service's there, which is being stopped/,
  )
  await people.runOnce(['next.service'])
  t.equal((await people.places())('old.service'), '')
  await people.destroy('old.service', 'next.service')
})

await t.test('a unit waits for the host that has its volume, and finds it as it was', async (t) => {
  const command = `sh -c 'date >> /data/starts; trap "exit 0" TERM; while :; do sleep 60 & wait $$!; done'`
  const flags = '--pull never --volume db:/data'
  await people.start('db.service', unitFile(on(away), { flags, command }))
  await people.runOnce(['db.service'])
  await people.start('free.service', unitFile(`Prefer=hostname=${away}:100`))
  await people.runOnce(['free.service'])
  const starts = async (): Promise<string> => {
    const words = ['docker', 'run', '--rm', '--pull', 'never', '--volume', 'db:/data']
    const { stdout } = await rack.exec(away, [...words, 'busybox:jangada', 'cat', '/data/starts'])
    return stdout.trim()
  }
  const before = await starts()
  await rack.powerOff(away)
  const left = hosts.filter((name) => name !== away)
  await people.runs('the other one goes on', (placesOf) => placesOf('free.service') !== '', left)
  t.match((await people.why('db.service')).join('\n'), /volume/)
  t.match(await jangada(rack, leader, 'volumes'), /db .*lost/)
  await rack.powerOn(away)
  await statusThat(rack, leader, `${away} returns`, (now) => readyMachines(now).includes(away))
  t.equal((await people.runOnce(['db.service']))('db.service'), away)
  const after = await starts()
  t.ok(after.startsWith(before) && after.length > before.length, 'with what it had written')
})
