/** Who votes, as typed: lists, words, wishes, and what is refused. */
import type { Test } from 'tap'
import t from 'tap'
import { memberId } from '../../../src/base/ids.ts'
import { featureLevel } from '../../../src/core/records/features.ts'
import {
  clusterSettings,
  members,
  placements,
  volumes,
  voting,
} from '../../../src/core/records/keyspace.ts'
import type { ClusterSettingsRecord } from '../../../src/core/records/schemas.ts'
import type { FollowerReport, QuorumReport } from '../../../src/node/controllers/quorum-report.ts'
import { ids, machine, placement } from '../../node/api/fixture.ts'
import { type Desk, makeDesk } from './fixture.ts'

const follower = (id: number, extra: Partial<FollowerReport> = {}): FollowerReport => ({
  memberId: id,
  votes: true,
  answers: true,
  silentMs: 0,
  behindMs: 0,
  isAtLeast: false,
  behindEntries: 0,
  ...extra,
})

const reportOf = (...list: FollowerReport[]): QuorumReport => ({
  leader: 1,
  term: 2,
  isJoint: false,
  members: list,
  waiting: '',
})

const settingsAt = (desk: Desk, changes: Partial<ClusterSettingsRecord>) =>
  clusterSettings.put(
    {
      v: 1,
      clusterId: desk.node.init.clusterId,
      createdMs: 1,
      featureLevel: 2,
      voters: 3,
      admission: 'sticky',
      status: 'full',
      ...changes,
    },
    'cluster',
  )

/** n1, n2 and n3 vote as members 1 to 3, at feature level 2. */
async function threeVoters(t: Test, report?: QuorumReport): Promise<Desk> {
  const desk = await makeDesk(
    t,
    report === undefined ? {} : { quorum: () => Promise.resolve(report) },
  )
  const { store } = desk.node
  const all = [ids.n1, ids.n2, ids.n3]
  store.put(
    settingsAt(desk, {}),
    ...all.map((id, at) =>
      machine(id, `n${at + 1}`, { roleCeiling: 'voter', durable: true, featureLevel: 2 }),
    ),
    ...all.map((id, at) =>
      members.put(
        {
          v: 1,
          memberId: at + 1,
          machineId: id,
          address: `a${at}:1`,
          incarnation: 'i',
          addedMs: 1,
        },
        String(at + 1),
      ),
    ),
  )
  store.leadership = { ...store.leadership, voters: [1, 2, 3].map((id) => memberId(id)) }
  return desk
}

const wishOf = async (desk: Desk, id: string): Promise<string | undefined> => {
  const { items } = await desk.node.store.range({ key: voting.key(id) }, 'local')
  return items[0] === undefined ? undefined : voting.read(items[0])?.value.wish
}

t.test('quorum says in words how safe the vote is', async (t) => {
  const report = reportOf(
    follower(1),
    follower(2, { behindMs: 1200, behindEntries: 7 }),
    follower(3),
  )
  const { say } = await threeVoters(t, report)
  t.match(await say('quorum'), { code: 0, out: '3 voters, can lose 1; n2 is 1.2 s behind\n' })
  t.match((await say('quorum --full')).out, /2 +n2 +voter +- +- +1\.2s +7/)
  const { canLose, members: rows } = JSON.parse((await say('quorum --json')).out)
  t.same([canLose, rows.length], [1, 3])
})

t.test('quorum ends with 1 while writes wait, with a leader or without', async (t) => {
  const away = { answers: false, silentMs: 3000 }
  const { say } = await threeVoters(t, reportOf(follower(1), follower(2, away), follower(3, away)))
  t.match(await say('quorum'), { code: 1, out: /3 voters, 1 answers, writes wait for 1 more/ })
  const headless = await threeVoters(t)
  t.match(await headless.say('quorum'), {
    code: 1,
    out: '3 voters; no leader is known here: writes wait until 2 of them reach each other\n',
  })
})

t.test('another number of voters is asked for', async (t) => {
  const desk = await threeVoters(t, reportOf(follower(1), follower(2), follower(3)))
  t.match(await desk.say('quorum --voters 5'), { code: 0, out: /5 are asked for/ })
  t.match((await desk.say('events')).out, /5 voters are asked for, instead of 3/)
  t.match(await desk.say('quorum --voters 4'), { code: 2, err: /1, 3, 5 or 7/ })
  const { status, value } = await desk.node.ask('PATCH', '/v1/quorum', { voters: 4 })
  t.match({ status, value }, { status: 400, value: { error: { code: 'JGD_BAD_REQUEST' } } })
})

t.test('what is set for the whole cluster is listed, set and told of', async (t) => {
  const { say, node } = await threeVoters(t)
  t.match(await say('settings'), { code: 0, out: /replacements-per-second +25 +yes/ })
  t.match(await say('settings replacements-per-second=100 admission=auto'), {
    code: 0,
    out: /admission +auto +no[^]*replacements-per-second +100 +no/,
  })
  t.match((await say('events')).out, /replacements-per-second is 100 from now on, and was 25/)
  t.match(await say('settings replacements-per-second='), { code: 0, out: /second +25 +yes/ })
  for (const [words, err] of [
    ['admission=perhaps', /admission=perhaps: write sticky, approve, auto/],
    ['replacements-per-second=0', /write 0\.1 to 10000/],
    ['admision=auto', /there is no setting admision[^]*write admission/],
  ] as const) {
    t.match(await say(`settings status=off ${words}`), { code: 2, err })
  }
  t.match((await say('settings')).out, /status +full +yes/, 'all of a command or nothing')
  t.match(await say('settings admission'), { code: 2, err: /write NAME=VALUE/ })
  const { status } = await node.ask('PATCH', '/v1/settings', { settings: { status: 1 } })
  t.equal(status, 400)
})

t.test(
  'a machine leaves once nothing of it is there; what would be lost by it is told',
  async (t) => {
    const desk = await threeVoters(t)
    const { say, node } = desk
    t.match(await say('leave n2 --force'), { code: 1, err: /JGD_FEATURE_LEVEL/ })
    node.store.put(
      settingsAt(desk, { featureLevel }),
      ...[ids.n1, ids.n2, ids.n3].map((id, at) =>
        machine(id, `n${at + 1}`, { roleCeiling: 'voter', durable: true, featureLevel }),
      ),
    )
    t.match(await say('leave n2'), { code: 1, err: /1 of 3 voters would be left/ })
    t.match(await say('undrain n2'), { code: 0 })
    node.store.put(placement('a.service', ids.n2), machine(ids.n3, 'n3', { status: 'lost' }))
    t.match(await say('leave n3 --force --deadline 1s'), { code: 2, err: /--force does not drain/ })
    t.match(await node.ask('POST', '/v1/machines/n3/leave'), {
      status: 409,
      value: { error: { message: /n3 is lost/, hint: /switched off/ } },
    })
    const volume = {
      v: 1,
      name: 'data',
      machine: ids.n2,
      driver: 'local',
      unit: '',
      sinceMs: 1,
    } as const
    node.store.put(volumes.put(volume, 'data', ids.n2))
    const stops = [
      () => node.store.put({ kind: 'delete', key: placements.key(ids.n2, 'a.service') }),
      () => node.store.put({ kind: 'delete', key: members.key('2') }),
    ]
    const sleep = async (): Promise<void> => stops.shift()?.()
    t.match(await say('leave n2 --force', { sleep }), {
      code: 0,
      out: /^n2: 1 units to stop\nn2: its vote goes to another\nn2 has left; stop its agent.*\nthese volumes stay on n2.*: data\n/,
    })
    t.notMatch((await say('machines')).out, /n2/)
    t.match((await say('events')).out, /n2 leaves: what runs there is stopped/)
    node.store.leadership = { ...node.store.leadership, voters: [memberId(1)] }
    t.match(await say('leave n1 --force'), { code: 1, err: /n1 has the only vote/ })
    t.match(await say('leave n9'), { code: 1, err: /JGD_NOT_FOUND/ })
  },
)

t.test('promote, demote and pin are remembered, and can be taken back', async (t) => {
  const desk = await threeVoters(t)
  desk.node.store.put(
    machine('4'.repeat(32) as never, 'n4', { roleCeiling: 'voter', durable: true }),
  )
  t.match(await desk.say('members demote n2'), { code: 0, out: /n2 is to leave the members/ })
  t.equal(await wishOf(desk, ids.n2), 'client')
  t.match((await desk.say('members')).out, /2 +2{8}\.\.\. +n2 +voter +- +ready +client/)
  t.match(await desk.say('members promote n2'), { code: 0, out: 'n2 votes, and goes on to\n' })
  t.equal(await wishOf(desk, ids.n2), 'voter')
  t.match(await desk.say('members pin n2 --off'), { code: 0, out: /when the cluster needs it/ })
  t.equal(await wishOf(desk, ids.n2), undefined)
  t.match(await desk.say('members pin n1'), { code: 0, out: /n1 votes/ })
  t.match(await desk.say('members pin n4'), {
    code: 0,
    out: 'n4 does not vote, and will not be asked\n',
  })
  t.match((await desk.say('events')).out, /n2: it is not to vote/)
})

t.test('a demotion that leaves fewer votes asks for --force', async (t) => {
  const desk = await threeVoters(t)
  const refused = await desk.say('members demote n3')
  t.match(refused, { code: 1, err: /nobody could vote in place of n3: 1 of 3 voters/ })
  t.match(refused.err, /next: join another machine that may vote first, or say --force/)
  t.equal(await wishOf(desk, ids.n3), undefined, 'nothing is changed')
  t.match(await desk.say('members demote n3 --force'), { code: 0 })
  t.equal(await wishOf(desk, ids.n3), 'client')
})

t.test('a machine that may not vote is not promoted, and the answer says why', async (t) => {
  const desk = await threeVoters(t)
  desk.node.store.put(machine('4'.repeat(32) as never, 'n4', { roleCeiling: 'client' }))
  t.match(await desk.say('members promote n4'), { code: 1, err: /let in as a client/ })
  const inMemory = { roleCeiling: 'voter', durable: false } as const
  desk.node.store.put(machine('4'.repeat(32) as never, 'n4', inMemory))
  t.match(await desk.say('members promote n4'), { code: 1, err: /state in memory/ })
  t.match(await desk.say('quorum --volatile'), { code: 1, out: /^3 voters/ })
  t.match((await desk.say('events')).out, /machines without a disk may vote/)
  t.match(await desk.say('members promote n4'), { code: 0 }, 'unless that is allowed')
  await desk.say('quorum --no-volatile')
  t.match((await desk.say('events')).out, /only machines with a disk may vote/)
  t.match(await desk.say('members promote n9'), { code: 1, err: /no machine n9/ })
})

t.test('beside a member of the release before, wishes are not written', async (t) => {
  const desk = await threeVoters(t)
  desk.node.store.put(
    settingsAt(desk, { featureLevel: 1 }),
    machine(ids.n3, 'n3', { roleCeiling: 'voter', durable: true }),
  )
  const { code, err } = await desk.say('members promote n2')
  t.equal(code, 1)
  t.match(err, /needs feature level 2; the cluster's is 1 \(JGD_FEATURE_LEVEL\)\nnext: upgrade n3;/)
  t.equal(await wishOf(desk, ids.n2), undefined)
})
