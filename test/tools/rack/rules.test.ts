/** The parts of the rack that only compute. */
import t from 'tap'
import { isJangadaError } from '../../../src/base/errors.ts'
import { qemuArguments } from '../../../src/tools/rack/blank.ts'
import { hierarchyWords, parseCgroupLayout } from '../../../src/tools/rack/cgroups.ts'
import { statusTable } from '../../../src/tools/rack/commands.ts'
import {
  faultRules,
  healed,
  noFaults,
  withLoss,
  withPartition,
} from '../../../src/tools/rack/faults.ts'
import { checkMachineName, checkRackName } from '../../../src/tools/rack/names.ts'
import { compareOutside, inRackCgroup } from '../../../src/tools/rack/outside.ts'
import type { OutsideItem } from '../../../src/tools/rack/outside.ts'
import { checkSystem } from '../../../src/tools/rack/requirements.ts'
import { shellQuote } from '../../../src/tools/rack/services.ts'

await t.test('a rack that cannot be built says what to do', async (t) => {
  const refusal = (platform: string, uid: number | undefined): unknown => {
    try {
      checkSystem(platform, uid)
      return undefined
    } catch (error) {
      return error
    }
  }
  t.ok(isJangadaError(refusal('darwin', 501), 'JGD_NEEDS_LINUX'))
  const needsRoot = refusal('linux', 1000)
  t.ok(isJangadaError(needsRoot, 'JGD_NEEDS_ROOT') && needsRoot.hint?.includes('sudo'))
  t.equal(refusal('linux', 0), undefined)
})

await t.test(
  'names that would reach into another rack, or fit no interface, are refused',
  async (t) => {
    t.equal(checkRackName('jgd'), 'jgd')
    for (const name of ['', 'a-b', '../x', 'Jgd', '1a', 'a'.repeat(17)]) {
      t.throws(() => checkRackName(name), { code: 'JGD_USAGE' }, name)
    }
    t.equal(checkMachineName('n1'), 'n1')
    for (const name of ['', 'sw', 'n-1', 'n/1', 'a'.repeat(14)]) {
      t.throws(() => checkMachineName(name), { code: 'JGD_USAGE' }, name)
    }
  },
)

await t.test(
  'both cgroup versions are understood, and the hybrid layout is version 1',
  async (t) => {
    const mounts = [
      '30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755',
      '31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
      '32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
      '33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      '34 30 0:30 / /sys/fs/cgroup/freezer rw shared:9 - cgroup cgroup rw,freezer',
    ].join('\n')
    const own = '4:name=systemd:/\n3:cpu,cpuacct:/\n2:freezer:/\n5:rdma:/\n0::/\n'
    const hybrid = parseCgroupLayout(mounts, own)
    t.equal(hybrid.version, 1)
    t.same(hierarchyWords(hybrid), [
      'systemd:none,name=systemd',
      'cpu,cpuacct:cpu,cpuacct',
      'freezer:freezer',
    ])
    const unified = parseCgroupLayout(
      '35 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
      '0::/\n',
    )
    t.same(unified, { version: 2, root: '/sys/fs/cgroup' })
    t.throws(() => parseCgroupLayout('', '0::/\n'), { code: 'JGD_RACK' })
  },
)

await t.test('faults add up to one table, and healing takes out only its own', async (t) => {
  const cut = withPartition(noFaults, ['n1'], ['n2', 'n3'], 'one-way')
  t.same(cut.partitions, [
    { from: 'n1', to: 'n2' },
    { from: 'n1', to: 'n3' },
  ])
  t.equal(withPartition(cut, ['n1'], ['n2'], 'both').partitions.length, 3, 'no pair twice')
  const both = withLoss(cut, 'n4', 2.5)
  const rules = faultRules(both)
  t.match(rules, 'iifname "p-n1" oifname "p-n3" counter drop')
  t.match(rules, 'oifname "p-n4" numgen random mod 10000 < 250 counter drop')
  t.same(healed(both, 'n2'), { loss: { n4: 2.5 }, partitions: [{ from: 'n1', to: 'n3' }] })
  t.same(withLoss(both, 'n4', 0).loss, {})
  t.throws(() => withLoss(noFaults, 'n1', 101), { code: 'JGD_USAGE' })
  t.notMatch(faultRules(noFaults), 'chain')
})

await t.test('a blank machine is given nothing to boot from', async (t) => {
  const blank = {
    ...({ kind: 'blank', name: 'b1', memoryMb: 1024, cpus: 1 } as const),
    mac: '02:77:00:00:01:01',
    uuid: '5f6b2b52-5f0f-4a1c-9f43-9f1d5a2b7c11',
  }
  const words = qemuArguments(blank, '/x/serial.log')
  const hints = ['-kernel', '-initrd', '-append', '-drive', '-cdrom', '-virtfs', '-fw_cfg', '-hda']
  t.same(
    words.filter((word) => hints.includes(word)),
    [],
  )
  t.match(words.join(' '), blank.uuid)
  t.match(words.join(' '), blank.mac)
})

await t.test('only what bears the name of the rack counts as left behind', async (t) => {
  const item = (id: string, ofRack: boolean): OutsideItem => ({
    kind: 'cgroup',
    id,
    label: id,
    ofRack,
  })
  const before = [item('/a', false), item('/jgd-n9', true)]
  const after = [...before, item('/b', false), item('/jgd-n1', true)]
  const ids = (items: readonly OutsideItem[]): string[] => items.map(({ id }) => id)
  t.same(ids(compareOutside(before, after)), ['/jgd-n1'])
  t.same(ids(compareOutside(before, after, 'all')), ['/b', '/jgd-n1'])
  t.ok(inRackCgroup('4:memory:/outer/jgd-n1/docker/0af\n', 'jgd'))
  t.notOk(inRackCgroup('4:memory:/outer/jgdx-n1\n0::/jgd\n', 'jgd'))
})

await t.test('words reach the shell as they are', async (t) => {
  t.equal(shellQuote("it's $HOME"), `'it'\\''s $HOME'`)
})

await t.test('the table has a line for each machine', async (t) => {
  const lines = statusTable({
    ...{ name: 'jgd', stateDir: '/x', switchPid: 1 },
    hosts: [
      {
        ...({ name: 'n1', state: 'off', link: 'none', address: '10.77.0.1' } as const),
        ...{ mac: '02:77:00:00:00:01', uuid: 'u', initPid: null, netns: null, engineId: null },
      },
    ],
    blanks: [],
  })
  t.equal(lines.length, 2)
  t.match(lines[1], /^n1 +off +none +10\.77\.0\.1 +02:77:00:00:00:01 +- +- +-$/)
})
