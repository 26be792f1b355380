/** Cgroups of whichever versions this kernel has mounted: found, frozen, killed, removed. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import {
  type CgroupLayout,
  cgroupDirs,
  createCgroups,
  innerCgroupDirs,
  isFrozen,
  joining,
  killAll,
  machinesWithCgroups,
  moveInner,
  processesIn,
  readCgroupLayout,
  removeCgroups,
  setFrozen,
} from '../../../src/tools/rack/cgroups.ts'
import { isAlive, startDetached } from '../../../src/tools/rack/processes.ts'
import { realWorld } from './world.ts'

const world = realWorld()

/** Version 2 beside version 1, as systemd's hybrid layout has it: without controllers, but real. */
async function layouts(): Promise<CgroupLayout[]> {
  const first = await readCgroupLayout()
  const mounts = await readFile('/proc/mounts', 'utf8')
  const unified = /^cgroup2 (\S+) /m.exec(mounts)?.[1]
  if (first.version === 2 || unified === undefined) return [first]
  return [first, { version: 2, root: unified }]
}

for (const layout of await layouts()) {
  await t.test(`a frozen machine is killed and removed, version ${layout.version}`, async (t) => {
    const rack = `g${process.pid}`
    const name = `${rack}-n1`
    t.teardown(async () => {
      await killAll(world, layout, name)
      await removeCgroups(world, layout, name)
    })
    await createCgroups(layout, name)
    const log = path.join(t.testdir(), 'log')
    const sleep = ['sh', '-c', 'sleep 1000 & sleep 1000']
    const parent = await startDetached(joining(cgroupDirs(layout, name), sleep), log)
    while ((await processesIn(layout, name)).length < 3) await new Promise(setImmediate)
    await moveInner(layout, name, parent.pid)
    t.ok((await processesIn(layout, name)).includes(parent.pid), 'found in an inner cgroup too')
    const inner = await readFile(`${innerCgroupDirs(layout, name)[0]}/cgroup.procs`, 'utf8')
    t.ok(inner.split('\n').includes(String(parent.pid)))
    t.same(await machinesWithCgroups(layout, rack), ['n1'])

    t.notOk(await isFrozen(layout, name))
    await setFrozen(world, layout, name, true)
    t.ok(await isFrozen(layout, name))
    await setFrozen(world, layout, name, false)
    t.notOk(await isFrozen(layout, name))

    await setFrozen(world, layout, name, true)
    await killAll(world, layout, name)
    t.notOk(await isAlive(parent))
    await removeCgroups(world, layout, name)
    t.same(await machinesWithCgroups(layout, rack), [])
  })
}
