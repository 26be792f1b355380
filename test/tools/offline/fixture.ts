/** A state directory of a real cluster of one machine, and its member at work in this process. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { utf8 } from '../../../src/base/bytes.ts'
import { clusterId, index, memberId, term } from '../../../src/base/ids.ts'
import { members } from '../../../src/core/records/keyspace.ts'
import { encodeCommand } from '../../../src/core/store/command-codec.ts'
import { defaultPorts } from '../../../src/daemon/config.ts'
import { initialise } from '../../../src/daemon/membership.ts'
import type { MemberStore } from '../../../src/node/member/member-store.ts'
import { Seat } from '../../../src/node/member/seat.ts'
import { identityOf, Wal } from '../../../src/node/wal/wal.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'
import { sleep } from '../../../src/ports/clock.ts'
import { sinkLog } from '../../sim/quiet.ts'
import { lone } from '../../support/lone-seat.ts'

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
    ...lone,
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

/** One of three voters, whose last entry never reached the others as far as it knows. */
export async function survivor(directory: string): Promise<string> {
  const { clusterId: cluster } = await newCluster(directory)
  const { store, stop } = await startMember(directory, cluster)
  const lost = (id: number) =>
    ({
      v: 1,
      memberId: id,
      machineId: String(id).repeat(32),
      address: `192.0.2.${id}:7382`,
      incarnation: 'f'.repeat(32),
      addedMs: 0,
    }) as const
  await store.transact({
    compare: [],
    then: [members.put(lost(2), '2'), members.put(lost(3), '3')],
    otherwise: [],
  })
  await put(store, { 'app/a': 'agreed' })
  await stop()
  const disk = directoryDisk(directory)
  const identity = await identityOf(disk)
  if (identity === undefined) throw new Error('there is a log')
  const onFailure = (error: Error): void => {
    throw error
  }
  const { wal, restored } = await Wal.open(disk, identity, { onFailure })
  const last = restored.entries.at(-1)?.index ?? 0
  const write = { kind: 'put', key: 'app/b', value: utf8('perhaps') } as const
  const transaction = { compare: [], then: [write], otherwise: [] }
  const data = encodeCommand({ kind: 'transaction', transaction })
  const inTerm = term(restored.hardState.term + 3)
  await wal.append({
    entries: [{ kind: 'normal', index: index(last + 1), term: inTerm, data }],
    hardState: { term: inTerm, vote: memberId(2), commit: index(last) },
  })
  await wal.close()
  return cluster
}
