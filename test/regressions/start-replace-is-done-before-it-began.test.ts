/**
 * `start --replace` said that a unit was launched while its machine still ran the older content, and
 * left whoever replaced it to find out by himself whether the new one runs at all.
 */
import t from 'tap'
import { ids, placement, state } from '../node/api/fixture.ts'
import { makeDesk } from '../tools/cli/fixture.ts'

const file = (command: string): string =>
  `[Service]\nExecStart=/usr/bin/docker run busybox ${command}\n`

t.test('start --replace waits for the new content', async (t) => {
  const { node, files, say } = await makeDesk(t)
  const runs = async (): Promise<void> => {
    const { value } = await node.ask('GET', '/v1/units/web.service')
    const look = { active: 'active', sub: 'running', hash: value.hash } as const
    node.store.put(state(node, 'web.service', ids.n1, look))
  }
  files.set('web.service', file('one'))
  await say('start web.service --no-block')
  node.store.put(placement('web.service', ids.n1, { desired: 'launched' }))
  await runs()
  t.match(await say('start web'), { code: 0, out: /launched on n1/ })

  files.set('web.service', file('two'))
  let looks = 0
  const sleep = async (): Promise<void> => {
    looks += 1
    if (looks === 3) await runs()
  }
  t.match(await say('start web.service --replace', { sleep }), { code: 0, out: /launched on n1/ })
  t.equal(looks, 3)
})
