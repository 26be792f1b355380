/** How the story is told, and what it says when a step is not seen. */
import t from 'tap'
import { parseDemoArguments } from '../../../../src/tools/rack/demo/arguments.ts'
import { Story } from '../../../../src/tools/rack/demo/story.ts'
import { realWorld } from '../world.ts'

function told(planned: number): { readonly lines: string[]; readonly story: Story } {
  const lines: string[] = []
  const print = (line: string): void => void lines.push(line)
  const evidence = (machine: string) => Promise.resolve(`log of ${machine}`)
  return { lines, story: new Story({ clock: realWorld().clock, print, evidence }, planned) }
}

t.test('every step seen: the story is whole', async (t) => {
  const { lines, story } = told(2)
  await story.step('a', 'one', 'the first', async () => story.note('it happened'))
  t.notOk(story.whole)
  await story.step('b', 'two', 'the second', async () => undefined)
  t.ok(story.whole)
  t.equal(story.lastLine(), 'main job: 2 of 2 steps seen')
  t.match(lines, ['a. the first', /^ +\d\.\d s {2}it happened$/, 'b. the second'])
})

t.test('a step not seen shows its evidence, and ends the story', async (t) => {
  const { lines, story } = told(3)
  await story.step('a', 'one', 'the first', async () => undefined)
  await story.step('b', 'two', 'the second', async () => {
    story.concerns('n2')
    throw new Error('nobody leads')
  })
  await story.step('c', 'three', 'the third', async () => void t.fail('it must not be tried'))
  t.notOk(story.whole)
  t.equal(story.lastLine(), 'main job: 1 of 3 steps seen')
  t.match(lines.join('\n'), /NOT SEEN: .*nobody leads[^]*last words of n2:\n +log of n2/)
  t.match(story.outcomes, [
    { name: 'one', ok: true },
    { name: 'two', ok: false },
  ])
})

t.test('arguments', (t) => {
  t.same(parseDemoArguments([]), { keep: false, blank: true, json: undefined, rack: 'jgd' })
  t.match(parseDemoArguments(['--keep', '--no-blank', '--json', 'x']), {
    ...{ keep: true, blank: false, json: 'x' },
  })
  t.throws(() => parseDemoArguments(['--json']), { code: 'JGD_USAGE' })
  t.throws(() => parseDemoArguments(['--fast']), { code: 'JGD_USAGE' })
  t.end()
})
