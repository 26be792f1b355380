/**
 * Run in a mount namespace of its own: a container of cgroup version 2 by this machine's own kernel, with processes
 * that go on forking, beside another one. Tells as JSON which were killed, and how many of each were left.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ContainerKiller } from '../../src/platform/container-killer.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { sleep } from '../../src/ports/clock.ts'

const [cgroups = ''] = process.argv.slice(2)
const clock = systemClock()
execFileSync('mount', ['-t', 'cgroup2', 'none', cgroups])

const own = (name: string): string => path.join(cgroups, `docker-${name}.scope`)
/** The engine's layout under systemd, and a cgroup that the container has made in its own. */
const inner = (name: string): string => path.join(own(name), 'inner')
const count = (name: string): number =>
  [own(name), inner(name)]
    .flatMap((directory) => readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').split('\n'))
    .filter((line) => line !== '').length

async function settle(name: string, is: (processes: number) => boolean): Promise<number> {
  for (let look = 0; look < 2000 && !is(count(name)); look += 1) await sleep(clock, 5)
  return count(name)
}

const [doomed, other] = ['d'.repeat(64), 'e'.repeat(64)]
// Each says that it is in before it forks: nothing of it is outside.
const forks = 'read go; while :; do sleep 600 & sleep 0.02; done'
const running = [doomed, other].flatMap((name) => {
  mkdirSync(inner(name), { recursive: true })
  return [own(name), inner(name)].map((directory) => {
    const child = spawn('sh', ['-c', forks], { stdio: ['pipe', 'ignore', 'inherit'] })
    writeFileSync(path.join(directory, 'cgroup.procs'), String(child.pid))
    child.stdin.end('go\n')
    return child
  })
})
const killer = new ContainerKiller({
  ...{ proc: '/proc', cgroups },
  kill: (pid) => {
    throw new Error(`the kernel kills all of a cgroup at once, and ${pid} was killed by itself`)
  },
})
try {
  await settle(doomed, (processes) => processes > 10)
  await settle(other, (processes) => processes > 10)
  const killed = [...killer.kill([doomed])]
  const left = await settle(doomed, (processes) => processes === 0)
  const others = count(other)
  process.stdout.write(JSON.stringify({ killed, left, others }))
} finally {
  for (const name of [doomed, other]) {
    writeFileSync(path.join(own(name), 'cgroup.kill'), '1')
    await settle(name, (processes) => processes === 0)
    for (const directory of [inner(name), own(name)]) rmdirSync(directory)
  }
  for (const child of running) child.kill('SIGKILL')
}
