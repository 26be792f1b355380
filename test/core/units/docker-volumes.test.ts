import t from 'tap'
import { parseUnit } from '../../../src/core/units/unit.ts'

const volumesOf = (flags: string, name = 'db@3.service'): readonly string[] | undefined => {
  const file = `[Service]\nExecStart=/usr/bin/docker run ${flags} busybox\n`
  const parsed = parseUnit(name, file)
  if (!parsed.ok) throw new Error(parsed.problems.map(({ reason }) => reason).join('; '))
  return parsed.spec.needs.volumes
}

t.test('volumes that one machine alone has', (t) => {
  t.same(volumesOf('-v data:/d -v logs:/l:ro -v data:/e'), ['data', 'logs'])
  t.same(volumesOf('-v data-%i:/d'), ['data-3'], 'each instance its own')
  t.same(volumesOf('--mount type=volume,source=data,target=/d'), ['data'])
  t.same(volumesOf('--volume-driver local -v data:/d'), ['data'])
  t.same(volumesOf('--mount source=data,target=/d,volume-driver=local'), ['data'])
  const quadlet = '[Container]\nImage=busybox\nVolume=data:/d\nVolume=/srv:/s\n'
  const parsed = parseUnit('db.service', quadlet)
  t.same(parsed.ok && parsed.spec.needs.volumes, ['data'])
  t.end()
})

t.test('and those that are not', (t) => {
  t.equal(volumesOf('-v /srv/data:/d -v /anonymous --tmpfs /t'), undefined)
  t.equal(volumesOf('--volume-driver rexray -v data:/d'), undefined)
  t.equal(volumesOf('--mount source=data,target=/d,volume-driver=rexray'), undefined)
  t.equal(
    volumesOf(
      '--mount source=data,target=/d,volume-driver=local,volume-opt=type=nfs,volume-opt=device=:/x',
    ),
    undefined,
  )
  t.throws(
    () => volumesOf(Array.from({ length: 65 }, (_, at) => `-v vol${at}:/d${at}`).join(' ')),
    {
      message: /at most 64 named volumes/,
    },
  )
  t.end()
})
