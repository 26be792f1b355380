/**
 * What happens between machines. Connections are TCP's: in order, nothing twice. Messages of the
 * consensus are repeated and overtake one another all the same, as they do on the two connections
 * that a pair of members keeps, and when one dials again: `stream-pipe.ts` does it, frame by frame.
 */
import type { PathQuality } from '../network.ts'
import type { SimulatedMachine } from '../machine.ts'
import { type FaultTools, secondMs } from './tools.ts'

export const networkFaults = {
  partition: (tools: FaultTools): boolean => cut(tools, true),
  'one-way cut': (tools: FaultTools): boolean => cut(tools, false),
  'packet loss': (tools: FaultTools): boolean =>
    worsen(tools, { lossProbability: 0.02 + 0.4 * tools.random.fraction() }),
  'slow network': (tools: FaultTools): boolean =>
    worsen(tools, { delayMsMax: 2 + 100 * tools.random.fraction() ** 2 }),
  'repeated messages': (tools: FaultTools): boolean =>
    worsen(tools, { repeatProbability: 0.05 + 0.4 * tools.random.fraction() }),
  'reordered messages': (tools: FaultTools): boolean =>
    worsen(tools, { overtakeProbability: 0.05 + 0.4 * tools.random.fraction() }),
  /** As when a firewall between two machines forgets its table. */
  'broken connections': (tools: FaultTools, machine: SimulatedMachine): boolean => {
    const others = tools.world.machines.filter((each) => each !== machine)
    const other = tools.random.pick(others)
    if (machine.process === undefined) return false
    tools.tellOfNetwork(`connections of ${machine.name} and ${other.name} break`)
    machine.process.breakStreamsWith(other.host)
    return true
  },
} as const

function cut(tools: FaultTools, isBothWays: boolean): boolean {
  const { machines, network } = tools.world
  const mixed = tools.random.shuffle(machines)
  const size = tools.random.integer(1, machines.length - 1)
  const side = mixed.slice(0, size)
  const other = mixed.slice(size)
  const names = (of: readonly SimulatedMachine[]): string => of.map(({ name }) => name).join(' ')
  tools.tellOfNetwork(`cut: ${names(side)} ${isBothWays ? '|' : '→'} ${names(other)}`)
  const paths: [string, string][] = []
  for (const a of side) {
    for (const b of other) {
      paths.push([a.host, b.host])
      if (isBothWays) paths.push([b.host, a.host])
    }
  }
  for (const [from, to] of paths) network.cut(from, to)
  tools.later(8 * secondMs, () => {
    tools.tellOfNetwork(`healed: ${names(side)} and ${names(other)}`)
    network.healPaths(paths)
  })
  return true
}

function worsen(tools: FaultTools, quality: Partial<PathQuality>): boolean {
  const { machines, network } = tools.world
  const paths = machines.flatMap((a) =>
    machines.filter((b) => b !== a).map((b) => [a.host, b.host] as const),
  )
  const worse = paths.filter(() => tools.random.chance(0.5))
  tools.tellOfNetwork(`${worse.length} paths get ${JSON.stringify(quality)}`)
  for (const [from, to] of worse) network.setQuality(from, to, quality)
  tools.later(6 * secondMs, () => {
    tools.tellOfNetwork(`they are rid of ${Object.keys(quality).join(', ')}`)
    for (const [from, to] of worse) network.restoreQuality(from, to, Object.keys(quality))
  })
  return true
}
