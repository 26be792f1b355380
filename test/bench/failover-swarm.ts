/**
 * The same power cuts, watched in the same way, with Docker Swarm mode on the same hosts and engines:
 * three managers, twelve services of one container each, the image from a registry on each host.
 */
import { sleep } from '../../src/ports/clock.ts'
import { serveRegistry } from '../../src/tools/rack/demo/blank-steps.ts'
import { cutAndWatch } from '../../src/tools/rack/demo/failover.ts'
import { hostNames } from '../../src/tools/rack/demo/scene.ts'
import { containersOn, isRunning } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { until } from '../../src/tools/rack/world.ts'

export interface SwarmCut {
  readonly victim: string
  readonly role: 'leader' | 'follower'
  readonly lost: number
  readonly lastMs: number
}

const serviceCount = 12
const lostCount = 6
/** Longer than what Swarm needs for a leader: 44 to 54 s were measured. */
const replacedTimeoutMs = 180_000
const readyTimeoutMs = 180_000
/** Of its own on each host, on the loopback: an engine takes no other without TLS. */
const image = '127.0.0.1:5000/busybox:jangada'
const name = (at: number): string => `swarm${at}`

/** After our own cuts, on a cluster whose units and agents are stopped. */
export async function swarmCuts(
  rack: Rack,
  cuts: number,
  say: (line: string) => void,
): Promise<readonly SwarmCut[]> {
  const hosts = hostNames(rack)
  for (const host of hosts) {
    // Swarm mode refuses engines with live-restore.
    await rack.setEngine(host, { 'live-restore': false })
    await rack.powerOff(host)
    await rack.powerOn(host)
    await rack.hostUp(host)
    await serveRegistry(rack, host)
  }
  await makeSwarm(rack, hosts)
  const [first = ''] = hosts
  for (let at = 1; at <= serviceCount; at += 1) await createService(rack, first, name(at))
  await running(rack, hosts, serviceCount)
  const outcomes: SwarmCut[] = []
  // One more, which is not counted: it makes the even spread into six, six and none.
  for (let cut = 0; cut <= cuts; cut += 1) {
    const outcome = await cutOnce(rack, hosts, cut)
    const { victim, role, lost, lastMs } = outcome
    const told = `${lost} containers in ${(lastMs / 1000).toFixed(2)} s`
    say(`swarm, cut ${cut} of ${cuts}: ${victim} (${role}): ${told}`)
    if (cut > 0) outcomes.push(outcome)
  }
  return outcomes
}

async function makeSwarm(rack: Rack, hosts: readonly string[]): Promise<void> {
  const [first = '', ...others] = hosts
  const address = (host: string): string => rack.host(host).address
  await rack.sh(first, ['docker', 'swarm', 'init', '--advertise-addr', address(first)])
  const token = (await rack.sh(first, ['docker', 'swarm', 'join-token', '-q', 'manager'])).trim()
  for (const host of others) {
    await rack.sh(host, [
      ...['docker', 'swarm', 'join', '--token', token],
      ...['--advertise-addr', address(host), `${address(first)}:2377`],
    ])
  }
}

/** With the label by which the rack knows units, so that the same eyes watch both. */
const createService = (rack: Rack, host: string, service: string): Promise<string> =>
  rack.sh(host, [
    ...['docker', 'service', 'create', '--detach', '--quiet', '--name', service],
    ...['--container-label', `jangada.unit=${service}`, '--restart-delay', '0s'],
    ...['--stop-grace-period', '1s', image, 'sleep', '100000'],
  ])

async function cutOnce(rack: Rack, hosts: readonly string[], cut: number): Promise<SwarmCut> {
  const [asking = ''] = hosts
  const leader = await leaderOf(rack, asking)
  const counts = await load(rack, hosts)
  const busy = hosts.filter((host) => cut === 0 || counts.get(host) === lostCount)
  // The lead is not ours to give: the leader's turn comes where it has work.
  const wanted = busy.filter((host) => (host === leader) === (cut % 2 === 1))
  const victim = wanted[0] ?? busy[0]
  if (victim === undefined) throw new Error(`no host has ${lostCount} containers of the swarm`)
  const others = hosts.filter((host) => host !== victim)
  const lost = (await containersOn(rack, [victim])).filter(isRunning).map(({ unit }) => unit)
  const options = { timeoutMs: replacedTimeoutMs }
  const { replacements } = await cutAndWatch(rack, victim, others, lost, undefined, options)
  const outcome: SwarmCut = {
    victim,
    role: victim === leader ? 'leader' : 'follower',
    lost: lost.length,
    lastMs: replacements.at(-1)?.afterMs ?? NaN,
  }
  await rack.powerOn(victim)
  await rack.hostUp(victim)
  await wait(rack, `${victim} is back in the swarm`, async () => {
    const [other = ''] = others
    const nodes = await rack.sh(other, ['docker', 'node', 'ls', '--format', nodeFormat])
    const line = nodes.split('\n').find((each) => each.startsWith(`${victim} `))
    return line?.includes('Ready') === true && /Reachable|Leader/.test(line) ? true : undefined
  })
  await running(rack, hosts, serviceCount)
  await sleep(rack.clock, 2000)
  return outcome
}

const nodeFormat = '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'

const leaderOf = (rack: Rack, host: string): Promise<string> =>
  wait(rack, 'a manager leads', async () => {
    const seen = await rack.exec(host, ['docker', 'node', 'ls', '--format', nodeFormat])
    return seen.stdout
      .split('\n')
      .find((line) => line.endsWith('Leader'))
      ?.split(' ')[0]
  })

async function load(rack: Rack, hosts: readonly string[]): Promise<Map<string, number>> {
  const all = (await containersOn(rack, hosts)).filter(isRunning)
  const count = (host: string): number => all.filter(({ machine }) => machine === host).length
  return new Map(hosts.map((host) => [host, count(host)]))
}

const running = (rack: Rack, hosts: readonly string[], count: number): Promise<true> =>
  wait(rack, `${count} containers of the swarm run`, async () => {
    const all = (await containersOn(rack, hosts)).filter(isRunning)
    return all.length === count ? true : undefined
  })

const wait = <T>(rack: Rack, what: string, look: () => Promise<T | undefined>): Promise<T> =>
  until(rack.clock, { what, timeoutMs: readyTimeoutMs }, look)
