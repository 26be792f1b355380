/** What the product weighs: memory of a client's agent and of a voter, the binary and its start. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { StatusReport } from '../../src/node/api/answers.ts'
import { sleep } from '../../src/ports/clock.ts'
import { agentService } from '../../src/tools/rack/cluster.ts'
import { binaryFile } from '../../src/tools/rack/demo/cluster-steps.ts'
import {
  expectUnits,
  jangada,
  rulesKept,
  type Scene,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { must } from '../../src/tools/rack/processes.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { type Figure, median } from './figures.ts'
import { inRack } from './rack.ts'

const unitCount = 20
/** Long enough for the garbage of starting to be collected. */
const settleMs = 60_000
const samplesWanted = 5
const sampleEveryMs = 5000
const starts = 21

const unit = `[Service]
Restart=always
ExecStart=/usr/bin/docker run --pull never busybox:jangada sh -c 'trap "exit 0" TERM; \\
  while :; do sleep 1 & wait $$!; done'

[X-Fleet]
MachineMetadata=role=worker
`

const hosts = ['n1', 'n2', 'n3', 'n4']
/** Never a member, not even for a moment. */
const client = 'n4'

export async function benchFootprint(say: (line: string) => void): Promise<readonly Figure[]> {
  const weights = await binaryFigures(say)
  const memory = await inRack({ hosts: hosts.length, clients: [client] }, async (rack) => {
    const isSettled = (seen: StatusReport): boolean =>
      votersOf(seen).length === 3 && seen.machines.length === hosts.length
    const voting = votersOf(await statusThat(rack, 'n1', 'three voters and one more', isSettled))
    await jangada(rack, 'n1', 'metadata', client, 'role=worker')
    const scene: Scene = { rack, units: new Map() }
    const file = path.join(rack.spec.stateDir, 'weight@.service')
    await writeFile(file, unit)
    const names = Array.from({ length: unitCount }, (_, at) => `weight@${at + 1}.service`)
    await expectUnits(scene.units, file, names)
    await jangada(rack, 'n1', 'submit', file)
    await jangada(rack, 'n1', 'start', ...names)
    const status = await rulesKept(scene, hosts)
    if (votersOf(status.status).includes(client)) throw new Error(`${client} votes by now`)
    say(`${unitCount} units run on ${client}, a client; waiting ${settleMs / 1000} s`)
    await sleep(rack.clock, settleMs)
    const alone = await memoryOf(rack, client)
    const voters = await Promise.all(voting.map((name) => memoryOf(rack, name)))
    const voter = voters.toSorted((a, b) => median(b) - median(a))[0] ?? []
    return [
      figure('memory of a client with 20 units', 'MB', alone, 110),
      figure('memory of a voter, the largest of three', 'MB', voter, 180),
    ]
  })
  return [...memory, ...weights]
}

const figure = (
  name: string,
  kind: Figure['unit'],
  samples: readonly number[],
  goal: number,
): Figure => ({ name, unit: kind, value: median(samples), goal, samples })

/** Resident memory in MB (1e6 bytes), a few times. */
async function memoryOf(rack: Rack, host: string): Promise<number[]> {
  const samples: number[] = []
  while (samples.length < samplesWanted) {
    const pid = await rack.servicePid(host, agentService)
    const status = await rack.sh(host, ['cat', `/proc/${pid}/status`])
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
    samples.push((kibibytes * 1024) / 1e6)
    await sleep(rack.clock, sampleEveryMs)
  }
  return samples
}

async function binaryFigures(say: (line: string) => void): Promise<Figure[]> {
  const timesMs = Array.from({ length: starts }, () => {
    const startMs = performance.now()
    spawnSync(binaryFile, ['--version'])
    return performance.now() - startMs
  })
  say('compressing the binary')
  const directory = await mkdtemp(path.join(tmpdir(), 'footprint-'))
  try {
    const compressed = path.join(directory, 'jangada.zst')
    const argv = ['zstd', '-q', '-19', '-T0', binaryFile, '-o', compressed]
    await must(argv, { timeoutMs: 600_000 })
    const { size } = await stat(compressed)
    return [
      figure('start: jangada --version', 'ms', timesMs, 50),
      figure('the binary, zstd -19', 'MB', [size / 1e6], 36),
    ]
  } finally {
    await rm(directory, { recursive: true })
  }
}
