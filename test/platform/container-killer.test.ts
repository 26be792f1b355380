/**
 * A kernel's tree in a directory, of either version of cgroups: what is killed, and what is written. And
 * version 2 as this machine's own kernel has it, whichever version its engines use.
 */
import t from 'tap'
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { ContainerKiller } from '../../src/platform/container-killer.ts'

const db = 'd'.repeat(64)
const web = 'e'.repeat(64)

async function tree(processes: Readonly<Record<number, string>>) {
  const root = t.testdir()
  const proc = path.join(root, 'proc')
  const cgroups = path.join(root, 'cgroup')
  const killed: string[] = []
  const living = new Map(Object.entries(processes))
  await mkdir(proc)
  await mkdir(cgroups)
  await mkdir(path.join(proc, 'irq'))
  const write = async (): Promise<void> => {
    for (const [pid, cgroup] of living) {
      await mkdir(path.join(proc, pid), { recursive: true })
      await writeFile(path.join(proc, pid, 'cgroup'), cgroup)
    }
  }
  await write()
  const { rmSync } = await import('node:fs')
  const kill = (pid: number, signal: string): void => {
    killed.push(`${signal} ${pid}`)
    if (signal === 'SIGKILL') rmSync(path.join(proc, String(pid)), { recursive: true })
  }
  return { killer: new ContainerKiller({ proc, cgroups, kill }), cgroups, killed }
}

t.test('version 1: every process of the container, those of cgroups below it too', async (t) => {
  const of = (id: string, below = ''): string =>
    `5:pids:/docker/${id}${below}\n4:freezer:/docker/${id}${below}\n0::/\n`
  const { killer, cgroups, killed } = await tree({
    7: of(db),
    8: of(db, '/inner'),
    9: of(web),
    10: '5:pids:/\n4:freezer:/\n0::/\n',
  })
  const state = path.join(cgroups, 'freezer/docker', db, 'freezer.state')
  await mkdir(path.dirname(state), { recursive: true })
  await writeFile(state, '-------')
  killer.terminate([db])
  t.same(killed.splice(0), ['SIGTERM 7', 'SIGTERM 8'])
  t.same(killer.kill([db, 'f'.repeat(64)]), new Set([db]))
  t.same(killed, ['SIGKILL 7', 'SIGKILL 8'])
  t.match(await readFile(state, 'utf8'), /^THAWED/, 'it does not stay frozen')
  t.same(killer.kill([db]), new Set(), 'nothing is left')
})

t.test('version 2: the whole cgroup at once, under systemd too', async (t) => {
  for (const own of [`/docker/${db}`, `/system.slice/docker-${db}.scope`]) {
    const { killer, cgroups, killed } = await tree({
      7: `0::${own}/init\n`,
      9: `0::/docker/${web}\n`,
    })
    const file = path.join(cgroups, own, 'cgroup.kill')
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, '')
    t.same(killer.kill([db]), new Set([db]))
    t.equal(await readFile(file, 'utf8'), '1')
    t.same(killed, [], 'the kernel does it')
  }
})

t.test('version 2 before the kernel could: one by one', async (t) => {
  const { killer, killed } = await tree({ 7: `0::/docker/${db}\n` })
  killer.kill([db])
  t.same(killed, ['SIGKILL 7'])
})

t.test('version 2 by the kernel: forking processes are gone, and no others', async (t) => {
  const script = path.join(import.meta.dirname, 'container-killer-unified.ts')
  const { stdout } = await promisify(execFile)('unshare', [
    ...['--mount', '--propagation', 'private', '--', process.execPath],
    ...[script, t.testdir()],
  ])
  const { killed, left, others } = JSON.parse(stdout) as Record<string, unknown>
  t.same({ killed, left }, { killed: [db], left: 0 })
  t.ok(Number(others) > 10, 'the other container runs on')
})
