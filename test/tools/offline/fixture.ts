/** A state directory of a real cluster of one machine, and its member at work in this process. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { clusterId } from '../../../src/base/ids.ts'
import { defaultPorts } from '../../../src/daemon/config.ts'
import { initialise } from '../../../src/daemon/membership.ts'
import type { MemberStore } from '../../../src/node/member/member-store.ts'
import { Seat } from '../../../src/node/member/seat.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { sleep } from '../../../src/ports/clock.ts'
import { sinkLog } from '../../sim/quiet.ts'

export const clock = systemClock()

export const machineIn = (stateDirectory: string) => ({
  stateDirectory,
  name: 'n1',
  address: '127.0.0.1',
  ports: defaultPorts,
})

export const newCluster = (directory: string) =>
  initialise({ ...machineIn(directory), voters: 1, admission: 'approve' })

/** The member in `directory`, once it leads. */
export async function startMember(
  directory: string,
  cluster: string,
): Promise<{ readonly store: MemberStore; readonly stop: () => Promise<void> }> {
  const seat = new Seat({
    clusterId: clusterId(cluster),
    disk: directoryDisk(directory),
    clock,
    entropy: kernelEntropy(),
    log: sinkLog(() => undefined),
    door: () => {
      throw new Error('a lone member speaks to nobody')
    },
    knownMembers: () => [],
    keeper: () => undefined,
    onLeadership: () => undefined,
    onCommand: () => undefined,
    onFatal: (reason) => {
      throw new Error(reason)
    },
    onStopped: () => undefined,
  })
  await seat.open()
  const { store } = seat
  if (store === undefined) throw new Error('there is no member here')
  while (store.member.leadership.role !== 'leader') await sleep(clock, 10)
  await store.member.barrier()
  return { store, stop: () => seat.close() }
}

export async function put(store: MemberStore, entries: Readonly<Record<string, string>>) {
  const then = Object.entries(entries).map(
    ([key, value]) => ({ kind: 'put', key, value: Buffer.from(value) }) as const,
  )
  return store.transact({ compare: [], then, otherwise: [] })
}

export async function textOf(store: MemberStore, key: string): Promise<string | undefined> {
  const { items } = await store.range({ key }, 'linearizable')
  return items[0] === undefined ? undefined : Buffer.from(items[0].value).toString()
}

/** Every file below `directory` with its digest: equal when nothing was changed. */
export function digestsOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(directory, name)).isFile())
    .map((name) => {
      const hash = createHash('sha256').update(readFileSync(path.join(directory, name)))
      return `${name} ${hash.digest('hex')}`
    })
    .toSorted()
}
