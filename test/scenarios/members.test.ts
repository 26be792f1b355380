/** Four hosts: who votes, who stands by, and what becomes of the vote when machines come and go. */
import path from 'node:path'
import t from 'tap'
import type { MembersAnswer, QuorumAnswer } from '../../src/node/api/answers.ts'
import { agentService, clusterStateDir, program } from '../../src/tools/rack/cluster.ts'
import { healthy } from '../../src/tools/rack/demo/cluster-steps.ts'
import {
  examplesDirectory,
  jangada,
  leaderOf,
  statusThat,
  votersOf,
} from '../../src/tools/rack/demo/scene.ts'
import { containersOn, isRunning, statusOf } from '../../src/tools/rack/demo/view.ts'
import { until } from '../../src/tools/rack/world.ts'
import { killAgent, stage, unitsOn } from './stage.ts'

t.setTimeout(400_000)

const hosts = ['n1', 'n2', 'n3', 'n4']
const rack = await stage(t, { hosts: 4, cluster: {} })

const membersAt = async (host: string): Promise<MembersAnswer['members']> =>
  (JSON.parse(await jangada(rack, host, 'members', '--json')) as MembersAnswer).members

/** Resolves when so many vote, and so many stand by, in the eyes of `host`. */
async function held(host: string, voters: number, standbys: number): Promise<string[]> {
  const status = await statusThat(rack, host, `${voters} voters, ${standbys} standbys`, (seen) => {
    const learners = seen.members.filter(({ role }) => role === 'learner').length
    return votersOf(seen).length === voters && learners === standbys && seen.leader !== null
  })
  return votersOf(status)
}

/** What `jangada quorum` says on `host`, once it says something like `words`. */
function quorumSays(host: string, words: RegExp): Promise<string> {
  const wait = { what: `quorum on ${host} says ${words}`, timeoutMs: 30_000, pollMs: 200 }
  return until(rack.clock, wait, async () => {
    const { stdout } = await rack.exec(host, [program, 'quorum', '--json'])
    const said = (JSON.parse(stdout) as QuorumAnswer).words
    return words.test(said) ? said : undefined
  })
}

/** When a node first logged here that it took this role; all hosts have the computer's clock. */
function timeOfRole(log: string, role: string): number {
  const line = log
    .split('\n')
    .find((each) => each.endsWith('}') && each.includes(`"role":"${role}"`))
  return Date.parse((JSON.parse(line ?? '{}') as { time?: string }).time ?? '')
}

/** From the last line that has `text` on. */
function lastLines(log: string, text: string): string {
  const lines = log.split('\n')
  return lines.slice(lines.findLastIndex((line) => line.includes(text))).join('\n')
}

await t.test('four machines hold three voters and one standby, by themselves', async (t) => {
  t.equal((await held('n1', 3, 1)).length, 3)
  t.equal(await quorumSays('n1', /^3 voters, can lose 1/), '3 voters, can lose 1; 1 standby')
})

await t.test('the leader is stopped: another leads in the very next term', async (t) => {
  const before = await statusOf(rack, 'n1')
  const old = leaderOf(before)
  const [asked = ''] = hosts.filter((name) => name !== old)
  await killAgent(rack, old, 'TERM')
  const after = await statusThat(rack, asked, 'another leads', (seen) => {
    return seen.leader !== null && seen.leader.name !== old
  })
  t.equal(after.term, before.term + 1, 'the one that was asked took over at the first attempt')
  const log = await rack.logs(old, agentService, 500)
  t.match(log, /the lead is handed over/)
  const next = await rack.logs(leaderOf(after), agentService, 500)
  const stoodBack = lastLines(log, '"role":"leader"')
  const gapMs =
    timeOfRole(lastLines(next, '"role":"leader"'), 'leader') - timeOfRole(stoodBack, 'follower')
  t.comment(`${gapMs} ms from one leader to the next, by their own logs`)
  await held(asked, 3, 1)
})

await t.test('the leader is demoted: the standby votes, and the leader is a client', async (t) => {
  const old = leaderOf(await statusOf(rack, 'n1'))
  const [asked = ''] = hosts.filter((name) => name !== old)
  t.match(await jangada(rack, asked, 'members', 'demote', old), /is to leave the members/)
  await statusThat(rack, asked, `${old} is no member`, ({ members, leader }) => {
    return members.every(({ name }) => name !== old) && leader !== null && leader.name !== old
  })
  t.equal((await held(asked, 3, 0)).includes(old), false)
  t.match(await jangada(rack, asked, 'events'), new RegExp(`${old} is not to vote`))
  await jangada(rack, asked, 'members', 'pin', old, '--off')
  await held(asked, 3, 1)
  t.pass('given back to the cluster, it stands by')
})

await t.test('a voter’s log is lost: it comes back as a new member', async (t) => {
  const [asked = ''] = await held('n1', 3, 1)
  const victim = (await held(asked, 3, 1)).find((name) => name !== asked) ?? ''
  const before = (await membersAt(asked)).find(({ name }) => name === victim)?.id
  // The process that holds it goes at once, as with the disk under it; its successor finds none.
  await rack.sh(victim, ['sh', '-c', `rm -rf ${clusterStateDir}/wal`])
  await killAgent(rack, victim, 'KILL')
  await statusThat(rack, asked, 'the old member is gone', ({ members }) => {
    return members.every(({ id }) => id !== before)
  })
  await held(asked, 3, 1)
  const now = (await membersAt(asked)).find(({ name }) => name === victim)
  t.ok(now === undefined || now.id > (before ?? Infinity), 'under a number that nobody had')
})

await t.test('a majority is lost: writes wait, and one return restores', async (t) => {
  const voters = await held('n1', 3, 1)
  const standby = hosts.find((name) => !voters.includes(name)) ?? ''
  const [here = '', first = '', second = ''] = voters
  await jangada(rack, here, 'kv', 'put', 'before', '1')
  await Promise.all([standby, first, second].map((name) => rack.powerOff(name)))
  t.comment(await quorumSays(here, /writes wait/))
  const refused = await rack.exec(here, [program, 'kv', 'put', 'during', '1'])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /JGD_NO_QUORUM/)
  t.equal((await rack.exec(here, [program, 'quorum'])).code, 1)
  await rack.powerOn(first)
  const wait = { what: 'a write is taken again', timeoutMs: 60_000, pollMs: 200 }
  await until(rack.clock, wait, async () => {
    const { code } = await rack.exec(here, [program, 'kv', 'put', 'after', '1'])
    return code === 0 ? true : undefined
  })
  t.match(await jangada(rack, here, 'kv', 'get', 'before'), /1/, 'nothing was forgotten')
  await Promise.all([standby, second].map((name) => rack.powerOn(name)))
  await held(here, 3, 1)
})

await t.test(
  'the leader leaves: work, vote and key go with it, and it is on no list',
  async (t) => {
    const [asked = ''] = await held('n1', 3, 1)
    const leaving = leaderOf(await statusOf(rack, asked))
    const others = hosts.filter((name) => name !== leaving)
    const [through = ''] = others
    const units = [1, 2, 3, 4].map((number) => `hello@${number}.service`)
    await jangada(rack, through, 'submit', path.join(examplesDirectory, 'hello@.service'))
    await jangada(
      rack,
      through,
      'start',
      ...units,
      path.join(examplesDirectory, 'node-agent.service'),
    )
    t.ok((await unitsOn(rack, leaving)).length >= 2, 'it has work')
    const untouched = await healthy(rack, others)

    const told = await jangada(rack, through, 'leave', leaving)
    t.match(told, new RegExp(`${leaving} is drained[^]*${leaving} has left`))
    t.same((await containersOn(rack, [leaving])).filter(isRunning), [], 'its containers stopped')
    const { machines, units: rows } = await statusOf(rack, through)
    t.same(machines.map(({ name }) => name).toSorted(), others)
    t.same(
      rows.filter(({ name, active }) => name.startsWith('hello@') && active === 'active').length,
      units.length,
    )
    const now = await healthy(rack, others)
    for (const [id, since] of untouched) t.equal(now.get(id), since, `${since}: never touched`)
    await held(through, 3, 0)
    const refused = await rack.exec(leaving, [program, 'kv', 'put', 'gone', '1'])
    t.not(refused.code, 0, 'and its own agent is let in nowhere')
  },
)
