/** A container that was told to stop and has not ended: its machine gives away nothing of what it holds. */
import t from 'tap'
import { leaving } from '../../src/core/records/keyspace.ts'
import type { UnitsAnswer } from '../../src/node/api/answers.ts'
import { keyOf } from './committed.ts'
import type { SimulatedMachine } from './machine.ts'
import { clusterOf, soonMs } from './membership.ts'
import { ask, destroy, followersOf, placesOf, runOnce, setDesired, start, why } from './people.ts'
import type { World } from './world.ts'

/** Without an init nothing hears SIGTERM: it takes the whole grace to stop. */
const stubborn = ({ id }: SimulatedMachine, flags: string, graceSec: number): string => `[Service]
Restart=always
TimeoutStopSec=${graceSec}
ExecStart=/usr/bin/docker run ${flags} busybox:jangada

[X-Fleet]
MachineID=${id}
`

/** `unit`s that were placed, in this order, from now on. */
function placed(world: World): string[] {
  const units: string[] = []
  world.committed.onRevision(({ events }) => {
    for (const event of events) {
      const [, unit] = /^.jangada.placements.[^/]+.(.+)$/.exec(keyOf(event)) ?? []
      if (unit !== undefined && event.kind === 'put' && event.item.version === 1) units.push(unit)
    }
  })
  return units
}

for (const end of ['stopped', 'destroyed'] as const) {
  t.test(`what is ${end} holds port and memory until its container has ended`, async (t) => {
    const world = await clusterOf(3)
    const machine = followersOf(world)[0]!
    const flags = '--publish 80:80 --memory 1536m'
    await start(world, 'old.service', stubborn(machine, flags, 20))
    await runOnce(world, 'old.service')
    await (end === 'stopped'
      ? setDesired(world, 'old.service', 'inactive')
      : destroy(world, 'old.service'))
    await start(world, 'port.service', stubborn(machine, '--publish 80:80', 1))
    await start(world, 'big.service', stubborn(machine, '--memory 1g', 1))
    await start(world, 'small.service', stubborn(machine, '--memory 128m', 1))
    await runOnce(world, 'small.service')
    await world.run(10_000)
    t.equal(placesOf(world, 'old.service').length, 1, 'it takes its time')
    t.same(placesOf(world, 'port.service'), [])
    t.match(
      (await why(world, 'port.service')).machines.find(({ id }) => id === machine.id)?.reason,
      /old.service's there, which is being stopped/,
    )
    t.match(
      (await why(world, 'big.service')).machines.find(({ id }) => id === machine.id)?.reason,
      /more once what is being stopped is gone/,
    )
    await runOnce(world, 'port.service', 'big.service')
    t.same(placesOf(world, 'old.service'), [], 'who waits is placed when it is gone')
  })
}

t.test(
  'a unit that is started again while it is being stopped does not wait for another’s place',
  async (t) => {
    const world = await clusterOf(3)
    const machine = followersOf(world)[0]!
    await start(world, 'old.service', stubborn(machine, '--publish 80:80', 5))
    await runOnce(world, 'old.service')
    const units = placed(world)
    await setDesired(world, 'old.service', 'inactive')
    await start(world, 'next.service', stubborn(machine, '--publish 80:80', 1))
    await world.run(1000)
    await setDesired(world, 'old.service', 'launched')
    await world.run(soonMs / 2)
    t.same(units, ['old.service'])
    await runOnce(world, 'old.service')
  },
)

t.test('a unit that came and went before its machine noticed holds nothing for ever', async (t) => {
  const world = await clusterOf(3)
  const machine = followersOf(world)[0]!
  const held: string[] = []
  world.committed.onRevision(({ events }) => {
    for (const event of events) {
      if (keyOf(event).startsWith(leaving.prefix)) held.push(event.kind)
    }
  })
  await start(world, 'old.service', stubborn(machine, `--publish 80:80`, 5))
  await runOnce(world, 'old.service')
  machine.crash()
  await setDesired(world, 'old.service', 'inactive')
  await world.run(8000)
  machine.startIfStopped()
  const isFree = (): boolean => held.at(-1) === 'delete'
  t.ok(await world.runUntil(isFree, soonMs), 'nothing of it is left')
})

for (const end of ['unloaded', 'destroyed'] as const) {
  t.test(
    `what is ${end} while its machine is lost is not told to be dead while it runs`,
    async (t) => {
      const world = await clusterOf(3)
      const machine = followersOf(world)[0]!
      await start(world, 'old.service', stubborn(machine, '--memory 64m', 1))
      await runOnce(world, 'old.service')
      const others = world.machines.flatMap(({ host }) => (host === machine.host ? [] : [host]))
      world.network.partition([machine.host], others)
      await world.run(5_000)
      const through = world.machines.find((one) => one !== machine)!
      const path = '/v1/units/old.service'
      await (end === 'unloaded'
        ? ask(world, through, 'POST', `${path}/state`, { desired: 'inactive' })
        : ask(world, through, 'DELETE', path))
      await world.run(5_000)
      const rows = async (): Promise<unknown[]> => {
        const { value } = await ask(world, through, 'GET', '/v1/units')
        return (value as UnitsAnswer).units.map(({ machineName, sub }) => [machineName, sub])
      }
      t.same(placesOf(world, 'old.service'), [machine.name], 'it runs on')
      t.same(await rows(), [[machine.name, 'lost']])
      world.network.healAll()
      await world.runUntil(() => placesOf(world, 'old.service').length === 0, soonMs)
      await world.run(3_000)
      t.same(await rows(), end === 'unloaded' ? [[null, 'dead']] : [])
    },
  )
}
