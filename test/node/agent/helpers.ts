import type { AgentWorld } from './fixture.ts'

/** The units that pulses have told of so far, each once. */
export const noteListed = (world: AgentWorld): string[] => [
  ...new Set(
    world.pulses.flatMap(({ pulse }) =>
      pulse.reports.map((report) => (report.kind === 'gone' ? report.unit : report.state.unit)),
    ),
  ),
]
