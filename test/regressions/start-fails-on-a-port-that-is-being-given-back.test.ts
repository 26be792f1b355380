/**
 * A unit that takes another's place is placed at once, and the other one stops at the same time: what that one
 * still held, the start failed by. With `Restart=no` that was its end.
 */
import t from 'tap'
import { clusterOf, soonMs } from '../sim/membership.ts'
import type { SimulatedMachine } from '../sim/machine.ts'
import { followersOf, label, placesOf, rowsOf, runOnce, start } from '../sim/people.ts'

const file = (restart: string, rules: string): string => `[Service]
Restart=${restart}
TimeoutStopSec=5
ExecStart=/usr/bin/docker run --publish 80:80 busybox:jangada

[X-Fleet]
${rules}
`

for (const rule of ['Replaces=old.service', 'Priority=90']) {
  t.test(`with ${rule}`, async (t) => {
    const world = await clusterOf(3)
    const [machine] = followersOf(world) as [SimulatedMachine]
    await label(world, machine, { here: 'yes' })
    const here = 'MachineMetadata=here=yes'
    await start(world, 'old.service', file('always', here))
    await runOnce(world, 'old.service')
    await start(world, 'new.service', file('no', `${here}\n${rule}`))
    const waits = async (): Promise<boolean> =>
      (await rowsOf(world, 'new.service')).some(({ message }) =>
        /waits for what is being stopped here: .*port is already allocated/.test(message),
      )
    let isTold = false
    for (let look = 0; look < soonMs / 500 && !isTold; look += 1) {
      await world.run(500)
      isTold = await waits()
    }
    t.ok(isTold, 'people can see what it waits for')
    await runOnce(world, 'new.service')
    t.same(placesOf(world, 'old.service'), [])
  })
}
