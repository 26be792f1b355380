/** Steps g and h: a machine with nothing on it boots over the network, joins, and works. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { BootRow, MachineRow } from '../../../node/api/answers.ts'
import { digestOfFile } from '../../../platform/digest.ts'
import { sleep } from '../../../ports/clock.ts'
import { serialLog } from '../blank.ts'
import { busyboxImage } from '../images.ts'
import type { Rack } from '../rack.ts'
import { rackError, until } from '../world.ts'
import { runScript } from './cluster-steps.ts'
import { hostNames, jangada, readyMachines } from './scene.ts'
import type { Story } from './story.ts'
import { statusOf } from './view.ts'

const repository = path.join(import.meta.dirname, '../../../..')
export const imageFile = path.join(repository, 'dist/jangada-image.tar.zst')

/** An emulated processor without help from the hardware is ten to twenty times slower. */
const bootTimeoutMs = 300_000
const bootPollMs = 100
const runTimeoutMs = 120_000

/** What the serial line says at each stage, in the order of a boot. */
const serialStages: readonly (readonly [RegExp, string])[] = [
  [/iPXE \d/, 'iPXE runs'],
  [/Jangada: booting/, 'the boot script runs'],
  [/jangada-boot: .*kernel .* is up/, 'the kernel is up'],
  [/jangada-boot: .*address/, 'the kernel has an address'],
  [/jangada-boot: .*root image is here/, 'the root image is here, and is what it should be'],
  [/jangada-boot: .*agent binary is here/, 'the agent’s binary is here, likewise'],
  [/jangada-boot: .*handing over/, 'systemd takes over'],
]

/** Part of a: dist/jangada-image.tar.zst, from the cache where it can be. */
export async function imageStep(story: Story): Promise<void> {
  await runScript('build-image.mjs')
  story.note('dist/jangada-image.tar.zst')
}

export async function importImage(rack: Rack, host: string): Promise<string> {
  const { sha256 } = await digestOfFile(imageFile)
  await jangada(rack, host, 'image', 'import', imageFile, '--sha256', sha256)
  return sha256
}

/** g. Returns the machine as the cluster knows it. */
export async function blankStep(story: Story, rack: Rack, blank: string): Promise<MachineRow> {
  const [bootHost = ''] = hostNames(rack)
  story.concerns(blank, bootHost)
  const sha256 = await importImage(rack, bootHost)
  story.note(`system image ${sha256.slice(0, 12)} imported on ${bootHost}`)
  const known = new Set(readyMachines(await statusOf(rack, bootHost)))
  const wallMs = rack.clock.wallMs()
  const onMs = rack.clock.monotonicMs()
  story.startClock(onMs)
  await rack.blankUp(blank)
  story.note(`${blank} has power: no disk, no hint what to boot`)

  const watch = new BootWatch(story, rack, blank, { wallMs, onMs })
  const deadlineMs = onMs + bootTimeoutMs
  while (rack.clock.monotonicMs() < deadlineMs) {
    const status = await statusOf(rack, bootHost)
    await watch.look(status.boots)
    const joined = status.machines.find((one) => one.status === 'ready' && !known.has(one.name))
    if (joined !== undefined) {
      story.note(`${joined.name} (${joined.address}) has joined and is ready for work`)
      return joined
    }
    await sleep(rack.clock, bootPollMs)
  }
  throw rackError(`${blank} did not join in ${bootTimeoutMs / 1000} s`)
}

/** Tells each stage of one boot once, from the two places where it can be seen. */
class BootWatch {
  readonly #story: Story
  readonly #serial: string
  readonly #mac: string
  readonly #start: { readonly wallMs: number; readonly onMs: number }
  #stagesSeen = 0
  readonly #stepsSeen = new Set<string>()

  constructor(
    story: Story,
    rack: Rack,
    blank: string,
    start: { readonly wallMs: number; readonly onMs: number },
  ) {
    this.#story = story
    this.#serial = serialLog(rack.spec, blank)
    this.#mac = rack.spec.blanks.find(({ name }) => name === blank)?.mac ?? ''
    this.#start = start
  }

  async look(boots: readonly BootRow[]): Promise<void> {
    const steps = boots.find(({ mac }) => mac === this.#mac)?.steps ?? []
    for (const step of steps) {
      const key = JSON.stringify(step)
      if (this.#stepsSeen.has(key)) continue
      this.#stepsSeen.add(key)
      const { wallMs, onMs } = this.#start
      this.#story.note(`node:   ${stepText(step)}`, onMs + step.atMs - wallMs)
    }
    const text = await readFile(this.#serial, 'utf8').catch(() => '')
    for (const [pattern, stage] of serialStages.slice(this.#stagesSeen)) {
      if (!pattern.test(text)) break
      this.#story.note(`serial: ${stage}`)
      this.#stagesSeen += 1
    }
  }
}

function stepText(step: BootRow['steps'][number]): string {
  const file = step.file === undefined ? '' : ` ${shortName(step.file)} by ${step.over ?? '?'}`
  switch (step.kind) {
    case 'file-begin':
      return `sends${file}`
    case 'file-end':
      return step.complete === true ? `has sent${file}` : `broke off${file}`
    case 'script':
      return 'gives the boot script, with a nonce in it'
    case 'enrolled':
      return 'admits it: a certificate for its key'
    default:
      return `DHCP ${step.kind}, ${step.client ?? '?'}`
  }
}

/** Boot files are named by their digest. */
const shortName = (file: string): string => (file.length > 24 ? `${file.slice(0, 12)}…` : file)

/** h. */
export async function workStep(story: Story, rack: Rack, machine: MachineRow): Promise<void> {
  const [host = ''] = hostNames(rack)
  story.concerns('b1', host)
  const image = await serveRegistry(rack, host)
  story.note(`${host} serves ${image}: there is no other registry here`)
  const file = path.join(rack.spec.stateDir, 'newcomer.service')
  await writeFile(file, newcomerUnit(image, machine.id))
  await jangada(rack, host, 'start', file)
  await statusThatRuns(rack, host, machine)
  story.note(`newcomer.service runs on ${machine.name}: pulled, started`)
  const wait = { what: 'the unit says something', timeoutMs: runTimeoutMs, pollMs: 250 }
  const said = await until(rack.clock, wait, async () => {
    const text = await jangada(rack, host, 'logs', 'newcomer.service')
    return text.split('\n').find((line) => line.includes('hello from'))
  })
  if (!said.includes(machine.id)) throw rackError(`it said something else: ${said}`)
  story.note(`jangada logs newcomer.service: ${said}`)
}

const statusThatRuns = (rack: Rack, host: string, machine: MachineRow): Promise<unknown> => {
  const wait = { what: 'newcomer.service is active', timeoutMs: runTimeoutMs, pollMs: 200 }
  return until(rack.clock, wait, async () => {
    const { units } = await statusOf(rack, host)
    const row = units.find(({ name }) => name === 'newcomer.service')
    return row?.active === 'active' && row.machine === machine.id ? row : undefined
  })
}

const newcomerUnit = (image: string, machineId: string): string => `# Fits one machine only.
[Unit]
Description=Says hello from the machine that was blank
After=docker.service

[Service]
TimeoutStartSec=2min
Restart=always
RestartSec=1
ExecStartPre=/usr/bin/docker pull ${image}
ExecStart=/usr/bin/docker run -e MACHINE=%m ${image} sh -c 'trap "exit 0" TERM; \\
  echo "hello from $$MACHINE"; while :; do sleep 1 & wait $$!; done'
TimeoutStopSec=5

[X-Fleet]
MachineID=${machineId}
`

/**
 * A registry on a host, with the one image in it: no machine can be handed an image as the hosts
 * were, and none reaches a public registry. Returns the image's name in it.
 */
export async function serveRegistry(rack: Rack, host: string): Promise<string> {
  const config = path.join(rack.spec.stateDir, 'registry.yml')
  const storage = 'storage: {filesystem: {rootdirectory: /var/lib/registry}}'
  await writeFile(config, `version: 0.1\nlog: {level: warn}\n${storage}\nhttp: {addr: ':5000'}\n`)
  await rack.startService(host, 'registry', ['docker-registry', 'serve', config])
  const local = `127.0.0.1:5000/${busyboxImage}`
  await rack.sh(host, ['docker', 'tag', busyboxImage, local])
  const wait = { what: `the registry on ${host} answers`, timeoutMs: 20_000, pollMs: 250 }
  await until(rack.clock, wait, async () => {
    const { code } = await rack.exec(host, ['docker', 'push', local])
    return code === 0 ? true : undefined
  })
  return `${rack.host(host).address}:5000/${busyboxImage}`
}
