/** The rules as somebody sees them who knows the unit files and looks at the engines. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { checkRules, rulesOf, type SeenUnit } from '../../../../src/tools/rack/demo/unit-rules.ts'

const examples = path.join(import.meta.dirname, '../../../../examples')
const machines = [
  { name: 'n1', id: 'a1', metadata: { disk: 'hdd' } },
  { name: 'n2', id: 'a2', metadata: { disk: 'ssd' } },
]
const at = (unit: string, machine: string): SeenUnit => ({ unit: `${unit}.service`, machine })

/** Findings for the example files called `names`, with these containers running. */
function findings(names: readonly string[], running: readonly SeenUnit[]) {
  const units = new Map(
    names.map((name) => {
      const file = readFileSync(path.join(examples, `${name}.service`), 'utf8')
      return [`${name}.service`, rulesOf(file)] as const
    }),
  )
  return checkRules(units, machines, running)
}

t.test('all as the files ask: nothing is found', (t) => {
  const running = [at('web', 'n1'), at('web-cache', 'n1'), at('db-a', 'n1'), at('db-b', 'n2')]
  const everywhere = [at('node-agent', 'n1'), at('node-agent', 'n2')]
  const names = ['web', 'web-cache', 'db-a', 'db-b', 'node-agent', 'fast-disk', 'report']
  const seen = [...running, ...everywhere, at('fast-disk', 'n2'), at('report', 'n1')]
  t.same(findings(names, seen), { broken: [], missing: [] })
  t.end()
})

t.test('what is not there yet is missing, and no rule is broken by it', (t) => {
  t.match(findings(['report', 'node-agent'], [at('node-agent', 'n1')]), {
    broken: [],
    missing: ['report.service on n1 or n2', 'node-agent.service on n2'],
  })
  t.match(findings(['web', 'web-cache'], [at('web', 'n1')]).missing, [
    'web.service runs on n1 without web-cache.service',
    'web-cache.service on n1 or n2',
  ])
  t.end()
})

t.test('where a machine is away, who has a volume may wait for it', (t) => {
  const here = new Map([
    ['db.service', rulesOf('[Service]\nExecStart=docker run -v db:/x busybox\n')],
  ])
  t.match(checkRules(here, machines, []).missing, ['db.service on n1 or n2'])
  t.same(checkRules(here, machines, [], { away: true }).missing, [])
  const mounts = new Map([
    ['x.service', rulesOf('[Service]\nExecStart=docker run -v /x:/x busybox\n')],
  ])
  t.match(checkRules(mounts, machines, [], { away: true }).missing, ['x.service on n1 or n2'])
  t.end()
})

t.test('each rule can be seen to be broken', (t) => {
  const broken = (names: string[], running: SeenUnit[]): string =>
    findings(names, running).broken.join('; ')
  t.match(broken(['report'], [at('report', 'n1'), at('report', 'n2')]), /only one/)
  t.match(broken(['node-agent'], [at('node-agent', 'n1'), at('node-agent', 'n1')]), /twice/)
  t.match(broken(['db-a', 'db-b'], [at('db-a', 'n1'), at('db-b', 'n1')]), /db-a.*beside db-b/)
  t.match(broken(['web', 'web-cache'], [at('web', 'n1'), at('web-cache', 'n2')]), /without/)
  t.match(broken(['fast-disk'], [at('fast-disk', 'n1')]), /may not/)
  t.match(broken([], [at('report', 'n1')]), /should run nowhere/)
  const here = new Map([['only-here.service', rulesOf('[X-Fleet]\nMachineID=a2\n')]])
  t.match(checkRules(here, machines, [at('only-here', 'n1')]).broken, [/may not/])
  t.same(checkRules(here, machines, [at('only-here', 'n2')]), { broken: [], missing: [] })
  t.end()
})

t.test('several values of one label are alternatives, several labels are all needed', (t) => {
  const fits = (rules: string): boolean => {
    const units = new Map([['x.service', rulesOf(`[Service]\n\n[X-Fleet]\n${rules}\n`)]])
    return checkRules(units, machines, [at('x', 'n2')]).broken.length === 0
  }
  t.ok(fits('MachineMetadata="disk=hdd" "disk=ssd"'))
  t.ok(fits('MachineMetadata=disk=hdd\nMachineMetadata=disk=ssd'))
  t.notOk(fits('MachineMetadata="disk=ssd" "zone=a"'))
  t.end()
})
