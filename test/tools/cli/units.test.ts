import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { ids, machine, placement, state, unitFile } from '../../node/api/fixture.ts'
import { makeDesk, runUnits } from './fixture.ts'

t.test('six instances of a template, from file to nothing', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node)
  files.set('hello@.service', unitFile('busybox echo %i'))

  t.same(await say('submit hello@.service'), {
    code: 0,
    out: 'Unit hello@.service submitted\n',
    err: '',
  })
  const started = await say('start hello@{1..3}')
  t.equal(started.code, 0)
  t.match(started.out, 'Unit hello@1.service launched on n1 (10.77.0.1)\n')
  t.equal(started.out.split('\n').length, 4)

  const table = await say('units')
  t.same(table.out.split('\n').slice(0, 2), [
    'UNIT             MACHINE                ACTIVE  SUB      HOST',
    'hello@1.service  11111111.../10.77.0.1  active  running  n1',
  ])
  const full = await say('units --full --no-legend --fields=unit,machine')
  t.equal(full.out.split('\n')[0], `hello@1.service  ${ids.n1}/10.77.0.1`)
  t.equal(
    (await say('list-units --no-legend --fields=unit,load,active,sub')).out.split('\n')[0],
    'hello@1.service  loaded  active  running',
  )
  t.equal(
    (await say('list-unit-files --no-legend --fields=unit,global,tmachine,desc')).out.split(
      '\n',
    )[1],
    'hello@1.service  false  11111111.../10.77.0.1  A unit',
  )
  t.match((await say('list-unit-files')).out, /hello@\.service +\w{7} +inactive +inactive +-\n/)

  const stopped = await say(['stop', 'hello@2'])
  t.same(stopped.out, 'Unit hello@2.service stopped on n1 (10.77.0.1)\n')
  t.match((await say(['unload', 'hello@2'])).out, 'Unit hello@2.service unloaded')
  const again = await say(['stop', 'hello@2'])
  t.match(again, { code: 1, err: /there is nothing to stop \(JGD_CONFLICT\)/ })

  const some = await say(['stop', 'hello@[13]*', 'nobody*'])
  t.equal(some.code, 1, 'a pattern that nothing fits stops nothing')
  const rest = await say(['stop', 'hello@[13]*'])
  t.match(rest, { code: 0, out: /hello@1\.service stopped[^]*hello@3\.service stopped/, err: '' })
  const nothing = await say(['stop', 'hello@.*'])
  t.match(nothing, { code: 1, err: /no unit matches/ }, 'a template is no unit that runs')

  t.equal((await say('cat hello@3')).out, unitFile('busybox echo %i'))
  const gone = await say(['destroy', 'hello@*'])
  t.equal(gone.out.split('\n').length, 5)
  t.equal((await say('unit-files --no-legend')).out, '')
})

t.test('a file is submitted and started by one word; a template beside it too', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node)
  files.set('web.service', unitFile())
  files.set('./units/hello@.service', unitFile('busybox echo %i'))
  t.match(await say('start web.service'), { code: 0, out: /web\.service launched on n1/ })
  t.match(await say('start web'), { code: 0 }, 'starting what runs is no error')
  const both = await say('start ./units/hello@{1..2}.service')
  t.match(both, { code: 0, out: /hello@2\.service launched/ })
  t.match(await say('start ./units/none.service'), { code: 2, err: /no file/ })
  t.match(await say('submit none.service'), { code: 1, err: /no unit none.*no file of that name/ })
  files.set('README.md', 'not a unit')
  const other = /README\.md is there, and no unit file by its name.*\nnext: .*\.service/
  t.match(await say('submit README.md'), { code: 1, err: other })

  files.set('dir/quad.container', '[Container]\nImage=busybox\n')
  t.match(await say('verify dir/quad.container'), { code: 0 })
  t.match(await say('start dir/quad.container'), { code: 0, out: /quad\.service launched/ })
  t.match(await say('start none.container'), { code: 2, err: /there is no file none\.container/ })

  files.set('web.service', unitFile('busybox false'))
  const changed = await say('start web.service')
  t.match(changed, { code: 1, err: /another content \(JGD_UNIT_EXISTS\)\nnext: .*--replace/ })
  const running = await say('submit web.service --replace')
  t.match(running, { code: 1, err: /web\.service is launched; .*\nnext: .*start --replace web/ })
  t.match(await say('load web.service --replace'), {
    code: 1,
    err: /is launched; load replaces no/,
  })
  await say('stop web')
  t.match(await say('submit web.service --replace'), { code: 1, err: /next: .*load --replace web/ })
  await say('unload web')
  const replacing = await say('submit web.service --replace')
  t.match(replacing, { code: 0, out: 'Unit web.service replaced\n' })
  const kept = await say('submit web.service --replace')
  t.match(kept, { code: 0, out: 'Unit web.service is there as it is\n' })
  t.match(await say('start web.service --replace'), { code: 0 })
})

t.test('instances are replaced with what their template says now', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node)
  const hasNew = async (name: string): Promise<boolean> =>
    (await node.ask('GET', `/v1/units/${name}`)).value.file.includes('NEW')
  files.set('./hello@.service', unitFile('busybox echo %i'))
  await say('start ./hello@{1..3}.service')
  files.set('./hello@.service', unitFile('busybox echo NEW %i'))
  t.match(await say('start ./hello@{1..2}.service --replace'), { code: 0 })
  t.same(await Promise.all(['hello@1.service', 'hello@2.service'].map(hasNew)), [true, true])
  t.notOk(await hasNew('hello@3.service'), 'nobody spoke of it')
  t.match(await say('start hello@3 --replace'), { code: 0, out: /hello@3\.service launched/ })
  t.ok(await hasNew('hello@3.service'), 'its template is in the cluster')

  files.set('web.service', unitFile())
  await say('start web.service')
  files.delete('web.service')
  const nothing = await say('start web --replace')
  t.match(nothing, {
    code: 1,
    err: /nothing to replace web\.service with.*JGD_CONFLICT.*\nnext: .*file/,
  })
  await say('destroy hello@.service')
  t.match(await say('start hello@3 --replace'), { code: 1, err: /hello@\.service is not there/ })
  t.match(await say('start hello@3'), { code: 0 })
})

t.test('what a refused file says wrong is listed line by line', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set('web.service', unitFile('busybox true', 'Frobnicate=yes\nRestart=perhaps\n'))
  const { code, out, err } = await say('submit web.service')
  t.same({ code, out }, { code: 1, out: '' })
  t.match(err, /\(JGD_UNIT_UNSUPPORTED\)\n {2}web\.service:5: .*\n {2}web\.service:6: /)
  const json = await say('submit web.service --json')
  t.match(JSON.parse(json.err), { error: { code: 'JGD_UNIT_UNSUPPORTED', details: {} } })

  files.set('good.service', unitFile())
  const some = await say('submit web.service good.service')
  t.match(some, { code: 1, out: 'Unit good.service submitted\n', err: /^web\.service: / })
})

t.test('a unit that fails, or has no place, is said to', async (t) => {
  const { node, files, say } = await makeDesk(t)
  runUnits(t, node, (name) => (name.startsWith('bad') ? 'fails' : 'nowhere'))
  for (const name of ['bad.service', 'lost.service']) files.set(name, unitFile())
  const failed = await say('start bad.service')
  t.match(failed, { code: 1, out: 'Unit bad.service failed on n1 (10.77.0.1): exit code 1\n' })
  const late = await say('start lost.service --timeout 0.01')
  t.match(late, {
    code: 1,
    err: /still waiting for lost\.service\nlost\.service: .*no machine.*\nnext: jangada why lost/,
  })
  t.match(await say('start lost.service --no-block'), { code: 0, out: /is to be launched/ })
  const why = await say('why lost')
  t.same(why.out.split('\n').slice(0, 2), [
    'MACHINE                NAME  VERDICT   REASON',
    '22222222.../10.77.0.2  n2    possible  the first choice: 0 units',
  ])
})

t.test('templates do not start, and unknown units are unknown', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set('hello@.service', unitFile())
  t.match(await say('start hello@.service'), { code: 1, err: /JGD_UNIT_IS_TEMPLATE/ })
  t.match(await say('start nothing'), { code: 1, err: /JGD_UNIT_UNKNOWN/ })
  t.match(await say(['destroy', 'no*']), { code: 1, err: /no unit matches no\*\.service/ })
})

t.test('a global unit is asked for and not waited for', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set('everywhere.service', unitFile('busybox true', '[X-Fleet]\nGlobal=true\n'))
  const { code, out } = await say('start everywhere.service')
  t.same({ code, out }, { code: 0, out: 'Triggered global unit everywhere.service: launched\n' })

  const rule = 'Global=true\nMachineMetadata=disk=tape'
  files.set('tapes.service', unitFile('busybox true', `[X-Fleet]\n${rule}\n`))
  t.match(await say('start tapes.service'), {
    code: 0,
    out: 'Triggered global unit tapes.service: launched\n',
    err: /tapes\.service runs nowhere: n1: MachineMetadata asks for disk=tape; .*n2: /,
  })
})

t.test('output is passed on as it comes', async (t) => {
  let broken = false
  const { node, files, say } = await makeDesk(t, {
    unitLogs: async function* () {
      yield utf8('one\n')
      if (broken) throw new JangadaError('JGD_MACHINE_UNREACHABLE', 'n1 went away')
      yield utf8('two\n')
    },
  })
  runUnits(t, node)
  files.set('web.service', unitFile())
  await say('start web.service')
  t.match(await say('logs web'), { code: 0, out: 'one\ntwo\n' })
  t.match(await say('journal -f -n 5 web'), { code: 0, out: 'one\ntwo\n' })
  t.same(JSON.parse((await say('logs web --json')).out), {
    unit: 'web.service',
    output: 'one\ntwo\n',
  })
  t.equal(
    (await say('logs web -f --json')).out,
    '{"unit":"web.service","line":"one"}\n{"unit":"web.service","line":"two"}\n',
    'followed, each line is an object as soon as it has ended',
  )
  broken = true
  const cut = await say('logs -f web')
  t.match(cut, { code: 1, out: 'one\n', err: /JGD_UNREACHABLE/ })
  t.match(await say('logs web -n many'), { code: 2 })
})

t.test('unit files are checked without a node', async (t) => {
  const { files, say } = await makeDesk(t)
  files.set('web.service', unitFile())
  files.set('dir/bad.service', unitFile('busybox true', 'Frobnicate=yes\n'))
  const away = '--endpoint unix:///nowhere.sock'
  t.match(await say('verify web.service'), {
    code: 0,
    out: /^web\.service: a unit file, hash \w{7}\n$/,
  })
  const bad = await say('verify web.service dir/bad.service')
  t.match(bad, {
    code: 1,
    err: /^dir\/bad\.service:5: Frobnicate= .* \(JGD_UNIT_UNSUPPORTED\)\nnext: /,
  })
  const { files: told } = JSON.parse((await say('verify dir/bad.service --json')).out)
  t.match(told, [{ file: 'dir/bad.service', ok: false, problems: [{ line: 5 }] }])
  t.match(await say('verify none.service'), { code: 2, err: /there is no file none\.service/ })
  t.match(await say(`verify web.service ${away}`), { code: 2 }, 'it asks no node')
})

t.test('one unit at a glance, with the end of its output', async (t) => {
  const { node, files, say } = await makeDesk(t, {
    unitLogs: async function* () {
      yield utf8('one\ntwo\n')
    },
  })
  runUnits(t, node)
  files.set('web.service', unitFile())
  await say('start web.service')
  const digest = `sha256:${'d'.repeat(64)}`
  node.store.put(
    state(node, 'web.service', ids.n1, { imageDigest: digest, restarts: 2, sinceMs: 1000 }),
  )
  const { code, out } = await say('status web', { wallMs: () => 61_000 })
  t.equal(code, 0)
  t.match(out, /^web\.service - A unit\n {4}Wanted: launched \(hash \w{7}\)\n/)
  t.match(out, `   Machine: ${ids.n1}/10.77.0.1\n`)
  t.match(out, '    Active: active (running), 1m0s ago, started again 2 times\n Container: c\n')
  t.match(out, `     Image: busybox (${digest})\n\none\ntwo\n`)
  t.match(await say('status none'), { code: 1, err: /JGD_UNIT_UNKNOWN/ })
  t.match(JSON.parse((await say('status web --json')).out), {
    units: [{ states: [{ restarts: 2 }] }],
  })

  const versions = (await say('units --versions')).out.split('\n')
  t.match(versions[0], /^UNIT +MACHINE +ACTIVE +HASH +IMAGE +DIGEST$/)
  t.match(versions[1], /^web\.service .* active +h +busybox +d{12}$/)
})

t.test('a plan says what would come of it, and nothing comes of it', async (t) => {
  const { node, files, say } = await makeDesk(t)
  const size = { cpus: 2, memoryBytes: 4 * 2 ** 30 }
  node.store.put(
    machine(ids.n1, 'n1', size),
    machine(ids.n2, 'n2', { ...size, metadata: { disk: 'ssd' } }),
  )
  files.set('old.service', unitFile('busybox true', '[X-Fleet]\nMachineMetadata=disk=ssd\n'))
  files.set('./web@.service', unitFile('-m 3g busybox', '[X-Fleet]\nConflicts=web@*\n'))
  files.set('bad.service', unitFile('busybox true', 'Frobnicate=yes\n'))
  files.set(
    'next.service',
    unitFile('busybox', '[X-Fleet]\nReplaces=old.*\nMachineMetadata=disk=ssd\n'),
  )
  files.set('waits.service', unitFile('busybox', '[X-Fleet]\nMachineMetadata=disk=tape\n'))
  await say('submit old.service waits.service')
  await node.ask('POST', '/v1/units/old.service/state', { desired: 'launched' })
  await node.ask('POST', '/v1/units/waits.service/state', { desired: 'launched' })
  node.store.put(placement('old.service', ids.n2))
  const before = node.store.store.revision
  const planned = await say(
    'plan ./web@{1..3}.service bad.service next.service --fields=unit,change,machine,reason',
  )
  t.equal(planned.code, 1)
  t.same(
    planned.out.split('\n').map((line) => line.replace(/ {2,}/g, ' | ')),
    [
      'UNIT | CHANGE | MACHINE | REASON',
      'bad.service | refused | - | bad.service:5: Frobnicate= in [Service] is not understood',
      'next.service | start | 22222222.../10.77.0.2 | -',
      'old.service | stop | 22222222.../10.77.0.2 | Replaces: next.service took its place there (pattern old.*)',
      'old.service | wait | - | n1: MachineMetadata asks for disk=ssd; it is not set; n2: Replaces: next.service took its place there (pattern old.*)',
      'web@1.service | start | 11111111.../10.77.0.1 | -',
      'web@2.service | start | 22222222.../10.77.0.2 | -',
      'web@3.service | wait | - | n1: Conflicts: web@1.service is there (its own pattern web@*); n2: Conflicts: web@2.service is there (its own pattern web@*)',
      '',
    ],
  )
  t.equal(node.store.store.revision, before, 'nothing was written')

  t.match(await say('plan old'), { code: 0, out: /old\.service +stay +22222222/ })
  files.set('old.service', unitFile('busybox false', '[X-Fleet]\nMachineMetadata=disk=ssd\n'))
  t.match(await say('plan old.service'), { code: 1, out: /refused .* another content/ })
  t.match(await say('plan old.service --replace'), {
    code: 0,
    out: /old\.service +replace +22222222/,
  })
  t.match(await say('plan waits'), { code: 1, out: /waits\.service +wait/ })
  t.match(await say('plan nothing'), {
    code: 1,
    out: /nothing\.service +refused +.*there is no unit/,
  })
})

t.test('a plan with --replace reads the template of an instance again', async (t) => {
  const { node, files, say } = await makeDesk(t)
  files.set('hello@.service', unitFile())
  await say('submit hello@.service')
  await node.ask('PUT', '/v1/units/hello@1.service', { desired: 'launched' })
  node.store.put(placement('hello@1.service', ids.n1))
  await say('destroy hello@.service')
  t.match(await say('plan hello@1 --replace'), { code: 1, out: /refused .*nothing to replace/ })
  files.set('hello@.service', unitFile('busybox false'))
  await say('submit hello@.service')
  t.match(await say('plan hello@1'), { code: 0, out: /hello@1\.service +stay/ })
  t.match(await say('plan hello@1 --replace'), { code: 0, out: /hello@1\.service +replace/ })
})
