/**
 * A member under load loses its power, again and again, on a real ext4: the file system is shut
 * down as a pulled plug would leave it, mounted anew, and the member started on what is left. Every
 * client counts upwards in a key of its own, so a key's value and its number of writes tell whether
 * anything that was acknowledged is missing, or anything is there twice.
 *
 *     npm run test:long -- disk [--rounds 100] [--clients 64] [--seed N]      (as root)
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SeededRandom } from '../../src/base/random.ts'
import { LoopDisk, moveToOwnMounts } from '../support/loop-disk.ts'
import { MemberProcess } from '../support/member-process.ts'

moveToOwnMounts(import.meta.filename)

const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    clients: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
  },
})
const rounds = Number(given.rounds)
const clients = Number(given.clients)
const random = new SeededRandom(Number(given.seed))

const workMsMin = 200
const workMsMax = 1500
/** A member whose disk is gone ends by itself; one that does not is stuck. */
const endMsMax = 20_000
const sizes = { segmentBytes: 2 * 1024 * 1024, entriesBetweenSnapshots: 3000 }

interface Totals {
  acknowledged: number
  /** Written before the power went, though nobody was told. */
  unacknowledgedKept: number
  tornEnds: number
  killed: number
  workMs: number
}

/** What each client was last told is done, over all rounds. */
const acknowledged = new Map<string, number>()

async function checkState(member: MemberProcess, totals: Totals): Promise<void> {
  await member.until(() => member.told.some(({ kind }) => kind !== 'log'))
  if (member.told.some(({ kind }) => kind === 'without member')) {
    throw new Error(`the log was refused: ${JSON.stringify(member.logged)}`)
  }
  const { id, values } = await member.first('member')
  if (id !== 1) throw new Error(`member ${id} came back in place of 1`)
  for (const [client, n] of acknowledged) {
    const { value = 0, version = 0 } = values[client] ?? {}
    if (value < n) throw new Error(`client ${client} was told ${n}, and ${value} is there`)
    if (version !== value) throw new Error(`client ${client}: ${value} in ${version} writes`)
    totals.unacknowledgedKept += value - n
  }
  totals.tornEnds += member.logged.filter(({ repair }) => repair?.includes('torn')).length
}

async function round(disk: LoopDisk, create: boolean, totals: Totals): Promise<void> {
  const member = new MemberProcess(disk.directory, { create, clients, sizes })
  try {
    await checkState(member, totals)
    await member.writes(1)
    const workMs = random.integer(workMsMin, workMsMax)
    await pause(workMs)
    totals.workMs += workMs
    disk.shutdown()
    if (random.chance(0.25)) {
      await member.kill()
      totals.killed += 1
    } else if (!(await endsByItself(member))) throw new Error('the member did not end')
  } finally {
    await member.kill()
  }
  totals.acknowledged += member.acknowledgements
  for (const [client, n] of member.acknowledged) acknowledged.set(client, n)
  disk.unmount()
  disk.mount()
}

async function endsByItself(member: MemberProcess): Promise<boolean> {
  const patience = new AbortController()
  const late = pause(endMsMax, false, { signal: patience.signal }).catch(() => false)
  const ended = await Promise.race([member.exited.then(() => true), late])
  patience.abort()
  return ended
}

async function main(): Promise<void> {
  const totals = { acknowledged: 0, unacknowledgedKept: 0, tornEnds: 0, killed: 0, workMs: 0 }
  const disk = new LoopDisk({ megabytes: 256 })
  try {
    for (let at = 1; at <= rounds; at += 1) {
      await round(disk, at === 1, totals)
      if (at % 10 === 0) process.stdout.write(`${at} rounds, ${totals.acknowledged} writes\n`)
    }
    const last = new MemberProcess(disk.directory, { sizes })
    await checkState(last, totals)
    await last.stop()
  } finally {
    disk.remove()
  }
  const perSecond = Math.round(totals.acknowledged / (totals.workMs / 1000))
  process.stdout.write(
    `${rounds} rounds with ${clients} clients: ${totals.acknowledged} writes acknowledged ` +
      `(${perSecond} a second), none lost and none there twice; ` +
      `${totals.unacknowledgedKept} were kept that nobody was told of; ` +
      `${totals.tornEnds} torn ends cut off; ${totals.killed} times the process was killed too\n`,
  )
}

await main()
