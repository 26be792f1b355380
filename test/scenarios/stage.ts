/** A racked cluster for a story, and what its stories look at. */
import path from 'node:path'
import type { Test } from 'tap'
import type { StatusReport } from '../../src/node/api/answers.ts'
import {
  agentReady,
  bringUpCluster,
  type ClusterOptions,
  clusterStateDir,
} from '../../src/tools/rack/cluster.ts'
import {
  exampleFiles,
  expectUnits,
  hostNames,
  jangada,
  rulesKept,
  type Scene,
} from '../../src/tools/rack/demo/scene.ts'
import { containersOn, isRunning, statusOf } from '../../src/tools/rack/demo/view.ts'
import { supervisorDir } from '../../src/tools/rack/host-init.ts'
import { rackDown, rackUp } from '../../src/tools/rack/lifecycle.ts'
import { compareOutside, snapshotOutside } from '../../src/tools/rack/outside.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { until } from '../../src/tools/rack/world.ts'
import { realWorld } from '../tools/rack/world.ts'

export const world = realWorld()
const binary = path.join(import.meta.dirname, '../../dist/jangada')

export interface StageOptions {
  readonly hosts: number
  readonly blanks?: number
  readonly cluster?: ClusterOptions
}

/** A rack of this process's own, taken down at the end of `t`; nothing of it may be left then. */
export async function stage(t: Test, options: StageOptions): Promise<Rack> {
  const name = `s${process.pid}`
  const before = await snapshotOutside({ name })
  t.teardown(async () => {
    await rackDown(world, { name })
    const left = compareOutside(before, await snapshotOutside({ name }))
    if (left.length > 0) throw new Error(`left behind: ${JSON.stringify(left)}`)
  })
  const { hosts, blanks = 0, cluster } = options
  const rack = await rackUp(world, { name, hosts, blanks, binary })
  if (cluster !== undefined) await bringUpCluster(rack, cluster)
  return rack
}

/** Submits and starts the examples that need no filling in; resolves when they run as they ask. */
export async function startExamples(rack: Rack): Promise<Scene> {
  const scene: Scene = { rack, units: new Map() }
  const [first = ''] = hostNames(rack)
  const files = await exampleFiles()
  for (const [name, file] of files) {
    const names = [1, 2, 3, 4, 5, 6].map((number) => `hello@${number}.service`)
    await expectUnits(scene.units, file, name === 'hello@.service' ? names : [name])
  }
  await jangada(rack, first, 'submit', ...files.values())
  const plain = [...files.keys()].filter((name) => !name.includes('@'))
  await jangada(rack, first, 'start', ...plain, 'hello@{1..6}')
  await rulesKept(scene, hostNames(rack))
  return scene
}

/** Units of `host` that can run elsewhere, by what runs there now. */
export async function unitsOn(rack: Rack, host: string): Promise<string[]> {
  const containers = await containersOn(rack, [host])
  return containers.filter(isRunning).map(({ unit }) => unit)
}

/** The status of `host`'s node, once an event of this code is in it. */
export function eventOf(
  rack: Rack,
  host: string,
  code: string,
): Promise<StatusReport['events'][0]> {
  const wait = { what: `an event ${code}`, timeoutMs: 15_000, pollMs: 100 }
  return until(rack.clock, wait, async () => {
    const { events } = await statusOf(rack, host)
    return events.findLast((event) => event.code === code)
  })
}

/** Ends the agent as the kernel would, and resolves when its successor answers. */
export async function killAgent(rack: Rack, host: string, signal: 'KILL' | 'TERM'): Promise<void> {
  const before = await rack.servicePid(host, 'jangada')
  await rack.signalService(host, 'jangada', signal)
  const wait = { what: `another agent runs on ${host}`, timeoutMs: 30_000 }
  await until(rack.clock, wait, async () => {
    const now = await rack.servicePid(host, 'jangada')
    return now !== undefined && now !== before ? true : undefined
  })
  await agentReady(rack, host)
}

/**
 * The state directory as it is, on a file system of its own, which can be made to fail. Nothing is
 * left of it below: an agent that starts while this one is not mounted must find no older log.
 */
export const ontoOwnDisk = `
pid=$(cat ${supervisorDir}/jangada.pid)
kill -STOP $pid
truncate -s 192M /run/disk.img
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /run/disk.img
mkdir -p /run/disk
mount -o loop /run/disk.img /run/disk
cp -a ${clusterStateDir}/. /run/disk
umount /run/disk
rm -rf ${clusterStateDir}/*
mount -o loop /run/disk.img ${clusterStateDir}
kill -KILL $pid
`
export const mendDisk = `
until umount ${clusterStateDir}; do sleep 0.1; done
mount -o loop /run/disk.img ${clusterStateDir}
`
