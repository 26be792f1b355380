import { spawnSync } from 'node:child_process'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import t from 'tap'
import { parse } from 'yaml'
import { embeddedAsset } from '../../../src/platform/assets.ts'
import { initramfsEntries } from '../../../src/tools/image/initramfs.ts'
import { closure, parseDependencies } from '../../../src/tools/image/kernel.ts'
import { enabledUnits, initramfsFilesOfRoot, maskedUnits } from '../../../src/tools/image/recipe.ts'
import { rootEntries } from '../../../src/tools/image/root.ts'

const readAsset = (name: string): string => fromUtf8(embeddedAsset(name))

t.test('the scripts of the initramfs use only what the initramfs has', (t) => {
  const entries = initramfsEntries(readAsset)
  const there = new Set([
    ...entries.map((entry) => entry.path.replace(/^bin\//, '')),
    ...initramfsFilesOfRoot.map((file) => file.replace(/^.*\//, '')),
  ])
  const scripts = entries.filter((entry) => entry.kind === 'file')
  t.equal(scripts.length, 2)
  const applets = new Set(spawnSync('busybox', ['--list'], { encoding: 'utf8' }).stdout.split('\n'))
  t.ok(applets.size > 100, 'busybox tells what it could be')
  const used = new Set<string>()
  for (const script of scripts) {
    const parsed = spawnSync('sh', ['-n'], { input: script.content, encoding: 'utf8' })
    t.equal(parsed.status, 0, `${script.path} is a shell script: ${parsed.stderr}`)
    for (const word of wordsOf(script.content)) if (applets.has(word)) used.add(word)
  }
  t.ok(used.has('udhcpc') && used.has('switch_root') && used.has('sha256sum'))
  t.same(
    [...used].filter((program) => !there.has(program)),
    [],
  )
  t.end()
})

/** The bare words of `script` that may be programs: not in comments, quotes, or assigned to. */
function wordsOf(script: string): readonly string[] {
  const code = script
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/"(?:[^"\\$]|\\.|\$(?!\())*"/g, '""')
    .replace(/'[^']*'/g, "''")
    // Words of the shell itself that are also names of programs, and words of `ip`.
    .replace(/\bfor link\b|\bip (?:link|route)\b|\b(?:false|true|echo|test)\b|[\w-]+=/g, ' ')
  return [...code.matchAll(/(?<![\w/.$-])[a-z][\w-]*/g)].map(([word]) => word)
}

t.test('the root starts the agent and the engine, and masks nothing that it starts', (t) => {
  const entries = rootEntries(readAsset)
  const at = (path: string) => entries.find((entry) => entry.path === path)
  t.match(at('etc/systemd/system/multi-user.target.wants/jangada.service'), {
    target: '/etc/systemd/system/jangada.service',
  })
  t.match(at('etc/systemd/system/jangada.service'), {
    content: /^ExecStart=\/usr\/local\/bin\/jangada up --state-dir \/var\/lib\/jangada/m,
  })
  t.match(at('etc/machine-id'), { content: '' })
  const daemon = at('etc/docker/daemon.json')
  t.equal(daemon?.kind === 'file' && JSON.parse(daemon.content)['live-restore'], true)
  t.same(
    enabledUnits.filter(({ unit }) => maskedUnits.includes(unit)),
    [],
  )
  const paths = entries.map((entry) => entry.path)
  t.equal(new Set(paths).size, paths.length, 'no path twice')
  t.end()
})

t.test("a module brings what it needs; '-' and '_' are the same", (t) => {
  const needs = parseDependencies(
    [
      'kernel/net/core/failover.ko:',
      'kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko',
      'kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko',
      'kernel/drivers/net/xen-netfront.ko:',
      'kernel/drivers/net/e1000.ko:',
      '',
    ].join('\n'),
  )
  t.same(closure(needs, ['virtio-net', 'xen_netfront', 'not-in-this-kernel']), [
    'kernel/drivers/net/net_failover.ko',
    'kernel/drivers/net/virtio_net.ko',
    'kernel/drivers/net/xen-netfront.ko',
    'kernel/net/core/failover.ko',
  ])
  t.end()
})

t.test('the cloud-config carries the very unit that the image has', (t) => {
  const text = readAsset('cloud-config/jangada.yaml')
  t.match(text, /^#cloud-config\n/)
  const config = parse(text) as { write_files: { path: string; content: string }[] }
  const content = (path: string) => config.write_files.find((file) => file.path === path)?.content
  t.equal(content('/etc/systemd/system/jangada.service'), readAsset('systemd/jangada.service'))
  t.same(JSON.parse(content('/etc/docker/daemon.json') ?? ''), { 'live-restore': true })
  t.end()
})
