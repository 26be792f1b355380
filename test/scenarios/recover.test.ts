/** Most voters are lost for good: the cluster goes on from one of them, and grows again. */
import t from 'tap'
import { agentReady, agentService, clusterStateDir, program } from '../../src/tools/rack/cluster.ts'
import { jangada, leaderOf, statusThat, votersOf } from '../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../src/tools/rack/demo/view.ts'
import { stage } from './stage.ts'

t.setTimeout(400_000)

const hosts = ['n1', 'n2', 'n3']
const rack = await stage(t, { hosts: 3, cluster: {} })
const threeVote = (host: string) =>
  statusThat(rack, host, 'three voters', (seen) => votersOf(seen).length === 3)

await t.test('two of three voters never come back as they were', async (t) => {
  const survivor = leaderOf(await threeVote('n1'))
  const lost = hosts.filter((name) => name !== survivor)
  await jangada(rack, survivor, 'kv', 'put', 'before', 'kept')
  await Promise.all(lost.map((name) => rack.powerOff(name)))
  await statusThat(rack, survivor, 'no quorum', ({ stale }) => stale !== false)
  const { code, stderr } = await rack.exec(survivor, [program, 'kv', 'put', 'during', '1'])
  t.match({ code, stderr }, { code: 1, stderr: /JGD_NO_QUORUM/ })

  const recover = [program, 'recover', '--state-dir', clusterStateDir]
  const refused = await rack.exec(survivor, recover)
  t.match(refused, { code: 1, stderr: /next: stop it first/ }, 'not under a running node')
  await rack.stopService(survivor, agentService)
  const preview = await rack.sh(survivor, recover)
  t.match(preview, /kept: what member \d+ has/)
  t.match(preview, /removed: member \d+ at .* member \d+ at/)
  t.match(preview, /nothing was changed/)
  t.match(await rack.sh(survivor, [...recover, '--yes']), /done: the only voter is member \d+/)
  const up = [program, 'up', '--state-dir', clusterStateDir, '--name', survivor]
  await rack.startService(survivor, agentService, up)
  await agentReady(rack, survivor)
  const alone = await statusThat(rack, survivor, 'it leads itself', ({ leader, stale }) => {
    return leader?.name === survivor && stale === false
  })
  t.same(votersOf(alone), [survivor])
  t.match(await jangada(rack, survivor, 'kv', 'get', 'before'), /kept/, 'what it had is there')
  await jangada(rack, survivor, 'kv', 'put', 'after', '1')
  t.pass('and writes are taken')

  const before = new Set((await statusOf(rack, survivor)).members.map(({ id }) => id))
  for (const name of lost) {
    await rack.powerOn(name)
    await statusThat(rack, survivor, `${name} is a member`, ({ members }) => {
      return members.some((each) => each.name === name && !before.has(each.id))
    })
    t.pass(`${name} comes back, finds that it was removed, and begins anew`)
  }
  t.same(votersOf(await threeVote(survivor)).toSorted(), hosts)
  t.match(await jangada(rack, survivor, 'events'), /goes on from member \d+ alone/)
  const [one = ''] = lost
  t.match(await jangada(rack, one, 'kv', 'get', 'after'), /1/, 'all hold the one history')
})
