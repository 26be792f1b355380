/** However the process that builds a rack ends, nothing of the rack stays for good. */
import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { rackDown } from '../../../src/tools/rack/lifecycle.ts'
import { defaultStateDir } from '../../../src/tools/rack/names.ts'
import { compareOutside, snapshotOutside } from '../../../src/tools/rack/outside.ts'
import { until } from '../../../src/tools/rack/world.ts'
import { realWorld } from './world.ts'

const world = realWorld()
const name = `e${process.pid}`
const stateDir = defaultStateDir(name)

t.setTimeout(120_000)
t.teardown(() => rackDown(world, { name }))

/** `jangada rack up --hosts 2 --bare` in a process of its own, seen until its first host lives. */
async function startBuilding() {
  const here = import.meta.dirname
  const module = (file: string): string => JSON.stringify(path.resolve(here, file))
  const script = `
    const { up } = await import(${module('../../../src/tools/rack/commands.ts')})
    const { realWorld } = await import(${module('world.ts')})
    const context = { world: realWorld(), print: () => undefined }
    const rack = { name: '${name}', hosts: 2, blanks: 0, bare: true }
    process.exitCode = await up(context, rack)`
  const argv = ['--input-type=module', '-e', script]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const boot = path.join(stateDir, 'hosts/n1/boot.json')
  await until(world.clock, { what: 'its first host has a PID 1', timeoutMs: 20_000 }, async () => {
    return (await exists(boot)) || undefined
  })
  return { child, ended }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )

await t.test('killed while it builds: another process takes the pieces down by name', async (t) => {
  const before = await snapshotOutside({ name })
  const { child, ended } = await startBuilding()
  child.kill('SIGKILL')
  await ended
  const pieces = compareOutside(before, await snapshotOutside({ name }))
  t.ok(
    pieces.some((item) => item.kind === 'process'),
    'its hosts outlived it',
  )
  await rackDown(world, { name })
  t.same(compareOutside(before, await snapshotOutside({ name })), [])
  t.notOk(await exists(stateDir))
})

await t.test('Ctrl-C while it builds: it clears up by itself', async (t) => {
  const before = await snapshotOutside({ name })
  const { child, ended } = await startBuilding()
  child.kill('SIGINT')
  t.equal(await ended, 130)
  t.same(compareOutside(before, await snapshotOutside({ name })), [])
  t.notOk(await exists(stateDir))
})

await t.test('a second rack of the same name is refused, or replaces the first', async (t) => {
  const { up, ls } = await import('../../../src/tools/rack/commands.ts')
  const lines: string[] = []
  const context = { world, print: (line: string) => lines.push(line) }
  const rack = { name, hosts: 1, blanks: 0, bare: true }
  const initPid = async (): Promise<unknown> => {
    await ls(context, { name, json: true })
    return (JSON.parse(lines.at(-1) ?? '') as { hosts: { initPid: number }[] }).hosts[0]?.initPid
  }
  t.equal(await up(context, rack), 0)
  const first = await initPid()
  await t.rejects(up(context, rack), { code: 'JGD_CONFLICT' })
  t.equal(await initPid(), first, 'the first was not touched')
  t.equal(await up(context, { ...rack, replace: true }), 0)
  t.not(await initPid(), first)
})
