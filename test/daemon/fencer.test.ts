/** The fencer as a process: its agent dies, comes back, or says nothing; and it does what it is for. */
import t from 'tap'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { FencerClient } from '../../src/daemon/fencer-client.ts'
import { pidFile } from '../../src/daemon/fencer-messages.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { until } from '../../src/tools/rack/world.ts'

t.setTimeout(60_000)
const clock = systemClock()
const program = path.join(import.meta.dirname, '../../src/main.ts')
// The client starts what this process was started with: here that is the test.
process.argv[1] = program

const socket = (): string => path.join(t.testdir(), 'fencer.sock')
const wait = (what: string, so: () => Promise<boolean> | boolean): Promise<true> =>
  until(clock, { what, timeoutMs: 20_000 }, async () => ((await so()) ? true : undefined))

/** Where this kernel keeps cgroups; each version has its own. */
async function containerOf(pid: number): Promise<{ id: string; remove: () => Promise<void> }> {
  const id = randomBytes(32).toString('hex')
  for (const mount of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
    const directory = path.join(mount, id)
    try {
      await mkdir(directory)
      await writeFile(path.join(directory, 'cgroup.procs'), String(pid))
      return { id, remove: () => rmdir(directory) }
    } catch {
      await rmdir(directory).catch(() => undefined)
    }
  }
  throw new Error('no cgroup can be made here')
}

function sleeper(t: { readonly teardown: (end: () => void) => void }): ChildProcess {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  t.teardown(() => void child.kill('SIGKILL'))
  return child
}

async function endOf(socketPath: string): Promise<void> {
  const pid = Number(await readFile(pidFile(socketPath), 'utf8').catch(() => '0'))
  if (pid > 0) process.kill(pid, 'SIGKILL')
}

t.test('it kills at its deadline, whoever speaks to it by then', async (t) => {
  const at = socket()
  t.teardown(() => endOf(at).catch(() => undefined))
  const child = sleeper(t)
  const { id, remove } = await containerOf(child.pid ?? 0)
  t.teardown(() => remove().catch(() => undefined))
  const agent = new FencerClient(at, clock)
  const guard = [{ id, unit: 'db.service', graceMs: 0 }]
  const untilMs = clock.monotonicMs() + 3000
  t.match(await agent.tell({ untilMs, guard, drop: [] }), { guarded: 1, condemned: [] })
  const next = new FencerClient(at, clock)
  const same = await next.tell({ untilMs: undefined, guard: [], drop: [] })
  t.match(same, { guarded: 1, condemned: [] }, 'another agent finds the same fencer')
  t.equal(child.exitCode ?? child.signalCode, null)
  await wait('the process is killed', () => child.signalCode === 'SIGKILL')
  t.ok(clock.monotonicMs() >= untilMs)
  const { condemned } = await next.tell({ untilMs: untilMs + 60_000, guard, drop: [] })
  t.match(condemned, [{ id, unit: 'db.service' }], 'and no later deadline takes that back')
  t.match(await next.tell({ untilMs: undefined, guard: [], drop: [id] }), { condemned: [] })
})

t.test('one that knows no deadline kills what it is given', async (t) => {
  const at = socket()
  t.teardown(() => endOf(at).catch(() => undefined))
  const child = sleeper(t)
  const { id, remove } = await containerOf(child.pid ?? 0)
  t.teardown(() => remove().catch(() => undefined))
  const agent = new FencerClient(at, clock)
  const guard = [{ id, unit: 'db.service', graceMs: 0 }]
  t.match(await agent.tell({ untilMs: undefined, guard, drop: [] }), { guarded: 0 })
  await wait('the process is killed', () => child.signalCode === 'SIGKILL')
})

t.test('one that stands still is replaced, and does not come back to life', async (t) => {
  const at = socket()
  t.teardown(() => endOf(at).catch(() => undefined))
  const agent = new FencerClient(at, clock)
  const order = { untilMs: clock.monotonicMs() + 60_000, guard: [], drop: [] }
  await agent.tell(order)
  const pid = Number(await readFile(pidFile(at), 'utf8'))
  process.kill(pid, 'SIGSTOP')
  await t.rejects(agent.tell(order), { code: 'JGD_FENCER_DOWN' })
  t.match(await agent.tell(order), { condemned: [] }, 'the next one answers')
  t.not(Number(await readFile(pidFile(at), 'utf8')), pid)
})
