/** What people may set for the cluster, one by one and together. */
import t from 'tap'
import { makeNode } from './fixture.ts'

const ceiling = 'image-collection-ceiling-percent'
const floor = 'image-collection-floor-percent'

t.test('images go from 85 % of a disk down to 75 % where nobody says otherwise', async (t) => {
  const node = await makeNode()
  const valueOf = async (name: string): Promise<string> => {
    const { settings } = (await node.ask('GET', '/v1/settings')).value
    return settings.find((each: { name: string }) => each.name === name).value
  }
  const set = (settings: Record<string, string>) => node.ask('PATCH', '/v1/settings', { settings })
  t.same([await valueOf(ceiling), await valueOf(floor)], ['85', '75'])

  const refused = await set({ [ceiling]: '70' })
  t.match(refused, { status: 400, value: { error: { code: 'JGD_BAD_REQUEST' } } })
  t.match(refused.value.error.message, /floor-percent=75 is not below .*ceiling-percent=70/)
  t.equal(await valueOf(ceiling), '85', 'nothing has changed')

  t.equal((await set({ [ceiling]: '70', [floor]: '60' })).status, 200, 'both at once')
  t.same([await valueOf(ceiling), await valueOf(floor)], ['70', '60'])
  t.equal((await set({ [floor]: '70' })).status, 400, 'they are never the same')

  t.equal((await set({ [ceiling]: 'off' })).status, 200)
  t.equal((await set({ [floor]: '98' })).status, 200, 'there is no ceiling to be below')
  t.equal((await set({ [ceiling]: '' })).status, 400)
  t.equal((await set({ [ceiling]: '', [floor]: '' })).status, 200)
  t.same([await valueOf(ceiling), await valueOf(floor)], ['85', '75'])

  for (const wrong of ['9', '100', '0x20', '85.5', '85%', 'on', '-1']) {
    t.equal((await set({ [ceiling]: wrong })).status, 400, wrong)
  }
})
