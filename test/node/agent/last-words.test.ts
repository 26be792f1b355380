import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { type UnitName, unitName } from '../../../src/base/ids.ts'
import type { UnitEnd, UnitMemory } from '../../../src/core/reconcile/types.ts'
import { LastWords } from '../../../src/node/agent/last-words.ts'
import type { LogOptions } from '../../../src/ports/containers.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { silent } from '../api/fixture.ts'

const web = unitName('web.service')

function world(output: (id: string, signal: AbortSignal) => AsyncIterable<Uint8Array>) {
  const asked: string[] = []
  let changes = 0
  const containers = {
    logs: (id: string, _options: LogOptions, signal: AbortSignal) => {
      asked.push(id)
      return output(id, signal)
    },
  }
  const words = new LastWords({
    ...{ containers, clock: systemClock(), log: silent },
    onChange: () => (changes += 1),
  })
  const explain = (
    containerId: string,
    message: string,
    how: Partial<UnitEnd> = {},
    hash = 'h',
  ): string => {
    const end = { how: { kind: 'exited', containerId, exitCode: 3, ...how } as UnitEnd, atMs: 0 }
    return words.explain(web, { hash, end } as UnitMemory, message)
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return { words, asked, explain, settle, changes: () => changes }
}

async function* lines(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield utf8(text)
}

t.test('a failure is told with the last line that was said, once it is known', async (t) => {
  const { asked, explain, settle, changes } = world(() =>
    lines('starting\n\u001B[31mcannot open ', '/data:\tno such file\u001B[0m\n', '\n'),
  )
  t.equal(explain('c1', 'exit code 3'), 'exit code 3')
  await settle()
  t.equal(changes(), 1, 'what is told is another now')
  t.equal(explain('c1', 'exit code 3'), 'exit code 3: "cannot open /data: no such file"')
  const again = 'exit code 3: "cannot open /data: no such file"; starts again'
  t.equal(explain('c1', 'exit code 3; starts again'), again)
  t.equal(
    explain('c2', 'exit code 3'),
    'exit code 3: "cannot open /data: no such file"',
    'as before',
  )
  await settle()
  t.same(asked, ['c1', 'c2'], 'each container is asked once')
  t.equal(changes(), 1, 'the same words are no news')
  t.equal(
    explain('c3', 'exit code 3', {}, 'other'),
    'exit code 3',
    'another content has said nothing',
  )
})

t.test('what did not fail, or does not tell of it, stays as it is', async (t) => {
  const { asked, explain, settle } = world(() => lines('bye\n'))
  t.equal(explain('c1', 'exit code 0', { exitCode: 0 }), 'exit code 0')
  t.equal(explain('c1', 'waits for db.service'), 'waits for db.service')
  t.equal(explain('c1', 'gone', { kind: 'vanished' }), 'gone')
  await settle()
  t.same(asked, [])
})

t.test('noise is cut, and an engine that fails or is silent costs nothing', async (t) => {
  const noise = world(() => lines('x'.repeat(100_000), 'y'.repeat(100_000)))
  noise.explain('c1', 'exit code 3')
  await noise.settle()
  t.equal(noise.explain('c1', 'exit code 3'), `exit code 3: "${'x'.repeat(200)}…"`)
  const broken = world(async function* () {
    yield utf8('half a li')
    throw new Error('the engine is gone')
  })
  broken.explain('c1', 'exit code 3')
  await broken.settle()
  t.equal(broken.explain('c1', 'exit code 3'), 'exit code 3: "half a li"', 'what there is')
  broken.words.keep(new Map<UnitName, unknown>())
  broken.explain('c1', 'exit code 3')
  t.equal(broken.asked.length, 2, 'who has gone and come back is asked again')
})
