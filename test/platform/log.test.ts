import t from 'tap'
import { JangadaError } from '../../src/base/errors.ts'
import { openLog } from '../../src/platform/log.ts'

t.test('a line is one JSON object with its level, time, fields and message', async (t) => {
  const lines: string[] = []
  const { log } = await openLog({ level: 'info', write: (line) => lines.push(line) })
  log.child({ room: 'wal' }).warn('segment is slow', { milliseconds: 12 })
  t.equal(lines.length, 1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  t.same(rest, { level: 'warn', room: 'wal', milliseconds: 12, message: 'segment is slow' })
  t.match(time, /^\d{4}-\d\d-\d\dT/)
})

t.test('an error is told with its code and its causes', async (t) => {
  const lines: string[] = []
  const { log } = await openLog({ level: 'info', write: (line) => lines.push(line) })
  const cause = new Error('no route')
  log.error('cannot join', { error: new JangadaError('JGD_UNREACHABLE', '10.0.0.1', { cause }) })
  t.match(JSON.parse(lines[0] ?? ''), { error: 'JGD_UNREACHABLE: 10.0.0.1 (no route)' })
})

t.test('what is below the level is not written', async (t) => {
  const lines: string[] = []
  const { log } = await openLog({ level: 'warn', write: (line) => lines.push(line) })
  log.debug('a')
  log.info('b')
  t.same(lines, [])
})
