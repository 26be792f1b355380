import t from 'tap'
import { engineName } from '../../../src/core/collection/image-names.ts'
import {
  imagesMax,
  namesMax,
  notAfter,
  nothingPulled,
  type PulledImages,
  withBegun,
  withEnded,
  withoutGone,
  withUnseen,
  withUsed,
} from '../../../src/core/collection/pulled-images.ts'

const begun = (known: PulledImages, name: string, idBefore?: string) =>
  withBegun(known, { name, ...(idBefore && { idBefore }), begunMs: 5 })
const pull = (known: PulledImages, name: string, id: string, atMs: number, idBefore?: string) =>
  withEnded(begun(known, name, idBefore), name, id, atMs)

t.test('a name is one, however it is written', async (t) => {
  for (const same of ['busybox', 'busybox:latest', 'docker.io/busybox', 'library/busybox']) {
    t.equal(engineName(same), 'busybox:latest', same)
  }
  t.equal(engineName('index.docker.io/library/busybox:1'), 'busybox:1')
  t.equal(engineName('registry:5000/team/app'), 'registry:5000/team/app:latest')
  t.equal(engineName('registry:5000/team/app:2'), 'registry:5000/team/app:2')
  t.equal(engineName(`app:2@sha256:${'a'.repeat(64)}`), `app@sha256:${'a'.repeat(64)}`)
})

t.test('what a pull brought is remembered, and what was there before it is not', async (t) => {
  const known = pull(nothingPulled, 'app:1', 'X', 5)
  t.same(known, { images: [{ id: 'X', names: ['app:1'], lastUsedMs: 5 }], pulls: [] })
  t.same(pull(nothingPulled, 'app:1', 'X', 5, 'X'), nothingPulled, 'it was there')
  t.match(pull(nothingPulled, 'app:1', 'Y', 5, 'X').images, [{ id: 'Y' }], 'another was there')
  const failed = withEnded(begun(nothingPulled, 'app:1'), 'app:1', undefined, 5)
  t.same(failed, nothingPulled)
})

t.test('a name that moved leaves its old image remembered; pulled again, it is used', async (t) => {
  const moved = pull(pull(nothingPulled, 'app', 'X', 5), 'app', 'Y', 6, 'X')
  t.same(
    moved.images.map(({ id, lastUsedMs }) => [id, lastUsedMs]),
    [
      ['X', 5],
      ['Y', 6],
    ],
  )
  const again = pull(moved, 'app', 'Y', 7, 'Y')
  t.match(
    again.images.find(({ id }) => id === 'Y'),
    { names: ['app'], lastUsedMs: 7 },
  )
  const both = pull(again, 'other', 'Y', 8)
  t.match(
    both.images.find(({ id }) => id === 'Y'),
    { names: ['app', 'other'] },
  )
})

t.test('use, absence and a clock that was set back', async (t) => {
  const known = pull(pull(nothingPulled, 'a', 'A', 5), 'b', 'B', 9)
  t.equal(withUsed(known, new Set(['C']), 20), known)
  t.match(withUsed(known, new Set(['A', 'C']), 20).images, [{ lastUsedMs: 20 }, { lastUsedMs: 9 }])
  t.match(withoutGone(known, new Set(['A', 'C'])).images, [{ id: 'B' }])
  t.match(notAfter(known, 7).images, [{ lastUsedMs: 5 }, { lastUsedMs: 7 }])
})

t.test('a pull whose end nobody saw may bring something for a while', async (t) => {
  const known = begun(nothingPulled, 'app:1', 'X')
  const [waiting] = known.pulls
  t.equal(withUnseen(known, waiting!, 'X', 600_005), known)
  t.equal(withUnseen(known, waiting!, undefined, 600_005), known)
  t.same(withUnseen(known, waiting!, 'X', 600_006), nothingPulled)
  t.match(withUnseen(known, waiting!, 'Y', 7), { images: [{ id: 'Y' }], pulls: [] })
  t.match(pull(known, 'app:1', 'Y', 8, 'Y').images, [{ id: 'Y' }], 'pulled once more, it is there')
})

t.test('it is bounded', async (t) => {
  let known = nothingPulled
  for (let at = 0; at <= imagesMax; at += 1) known = pull(known, `app:${at}`, `${at}`, at)
  t.equal(known.images.length, imagesMax)
  t.notOk(
    known.images.some(({ id }) => id === '0'),
    'the longest unused is forgotten',
  )
  let named = nothingPulled
  for (let at = 0; at < 2 * namesMax; at += 1) named = pull(named, `app:${at}`, 'X', at)
  t.equal(named.images[0]?.names.length, namesMax)
})
