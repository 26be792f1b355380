/** docs/scenarios.md says which story is told where; whoever moves a story moves its row. */
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const rows = readFileSync(new URL('../docs/scenarios.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('|--'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .slice(1)

t.test('every story is told in a test that is there', async (t) => {
  t.ok(rows.length > 20)
  for (const [, , story = '', rack = '', simulation = ''] of rows) {
    const told = [...`${rack} ${simulation}`.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
    t.ok(told.length > 0, story)
    for (const name of told) {
      const file = new URL(`${name}.test.ts`, import.meta.url)
      t.ok(existsSync(file), `${name}.test.ts is there`)
    }
    t.ok(rack === '' || rack.includes('scenarios/'), `${story}: the rack's column`)
  }
})
