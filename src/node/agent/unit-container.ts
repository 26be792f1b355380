/** From a unit to the body that the engine is given: files read, labels and variables added. */
import type { ContainerSpec } from '../../base/container-spec.ts'
import { JangadaError } from '../../base/errors.ts'
import type { ClusterId, MachineId } from '../../base/ids.ts'
import { writeLabels } from '../../core/reconcile/labels.ts'
import type { Action } from '../../core/reconcile/types.ts'
import { containerFor } from '../../core/units/container.ts'
import { environmentFileBytesMax } from '../../core/units/environment.ts'
import type { ContainerResult, UnitSpec } from '../../core/units/types.ts'
import type { Host } from '../../ports/host.ts'

/** A file may name another through a variable, and that one a third; nobody needs more. */
const fileRoundsMax = 4

export type ReadyContainer = Extract<ContainerResult, { kind: 'ready' }>

export interface ContainerContext {
  readonly clusterId: ClusterId
  readonly machineId: MachineId
  readonly bootId: string
  readonly host: Pick<Host, 'hostname' | 'readTextFile'>
}

/** With the agent's own labels and variables. Rejects as `readyContainer`. */
export async function unitContainer(
  context: ContainerContext,
  spec: UnitSpec,
  start: Extract<Action, { kind: 'start' }>,
): Promise<ReadyContainer> {
  const ready = await readyContainer(context, spec)
  return { ...ready, container: withOurs(ready.container, context, spec, start) }
}

/** Rejects with JGD_UNIT_UNSUPPORTED when the unit cannot start on this machine, and why. */
export async function readyContainer(
  { host, machineId }: Pick<ContainerContext, 'host' | 'machineId'>,
  spec: UnitSpec,
): Promise<ReadyContainer> {
  const files = new Map<string, string | null>()
  for (let round = 0; round < fileRoundsMax; round += 1) {
    const result = containerFor(spec, { machineId, hostname: host.hostname(), files })
    if (result.kind === 'ready') return result
    if (result.kind === 'problem') {
      const reasons = result.problems.map(({ reason }) => reason).join('; ')
      throw new JangadaError('JGD_UNIT_UNSUPPORTED', reasons)
    }
    for (const path of result.paths) {
      files.set(path, await host.readTextFile(path, environmentFileBytesMax))
    }
  }
  throw new JangadaError('JGD_UNIT_UNSUPPORTED', 'its environment files name each other for ever')
}

function withOurs(
  container: ContainerSpec,
  { clusterId, machineId, bootId }: ContainerContext,
  spec: UnitSpec,
  { unit, generation, hash, restarts }: Extract<Action, { kind: 'start' }>,
): ContainerSpec {
  const { stop, placement } = spec
  const owner = { clusterId, unit, generation, hash, bootId, restarts, stop }
  const fenceGraceMs = placement.fencing === 'stop' ? placement.fencingGraceMs : undefined
  const labels = writeLabels(fenceGraceMs === undefined ? owner : { ...owner, fenceGraceMs })
  const variables = {
    JANGADA_UNIT: unit,
    JANGADA_GENERATION: String(generation),
    JANGADA_MACHINE: machineId,
  }
  // A name given twice would mean one thing to a shell and another to a C library.
  const theirs = (container.Env ?? []).filter(
    (line) => !Object.hasOwn(variables, line.split('=', 1)[0] ?? ''),
  )
  const ours = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return {
    ...container,
    Env: [...theirs, ...ours],
    Labels: { ...container.Labels, ...labels },
  }
}
