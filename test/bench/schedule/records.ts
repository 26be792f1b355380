/** A made cluster as the store has it: records of its machines, and its units as files. */
import { machines, units } from '../../../src/core/records/keyspace.ts'
import { featureLevel } from '../../../src/core/records/features.ts'
import type { SchedulerMachine, SchedulerUnit } from '../../../src/core/scheduler/types.ts'
import type { Operation } from '../../../src/core/store/types.ts'
import { parseOptions, unitHash } from '../../../src/core/units/options.ts'

const nanosPerCpu = 1e9

export function machinePut(
  { id, metadata, capacity }: SchedulerMachine,
  status: 'ready' | 'lost',
): Operation {
  return machines.put(
    {
      ...{ v: 1, id, metadata, status, statusSinceMs: 0 },
      name: id.slice(-8),
      address: '127.0.0.1',
      keyHash: id + id,
      bootId: id,
      cpus: capacity.nanoCpus / nanosPerCpu,
      memoryBytes: capacity.memoryBytes,
      roleCeiling: 'client',
      durable: true,
      version: '0.0.0',
      featureLevel,
      liveRestore: true,
    },
    id,
  )
}

export function unitPut(unit: SchedulerUnit): Operation {
  const file = fileOf(unit)
  const parsed = parseOptions(file)
  if (!parsed.ok) throw new Error(`${unit.name} has a file that cannot be read`)
  const hash = unitHash(parsed.options)
  const record = { v: 1, name: unit.name, file, hash, desired: 'launched', submittedMs: 0 } as const
  return units.put(record, unit.name)
}

function fileOf({ rules, needs }: SchedulerUnit): string {
  const { machineId, metadata, priority, strategy } = rules
  const ports = needs.ports.map(({ port }) => `-p ${port.split('/')[0]}:80 `).join('')
  const each = (option: string, values: readonly string[]): string[] =>
    values.map((value) => `${option}=${value}`)
  return [
    '[Service]',
    `ExecStart=/usr/bin/docker run ${ports}example/app:1.2`,
    'Restart=always',
    '[X-Fleet]',
    ...(rules.global ? ['Global=true'] : []),
    ...each('MachineID', machineId === undefined ? [] : [machineId]),
    ...each('MachineOf', rules.machineOf),
    ...each('Conflicts', rules.conflicts),
    ...each('Replaces', rules.replaces),
    ...Object.entries(metadata).flatMap(([key, values]) =>
      values.map((value) => `MachineMetadata=${key}=${value}`),
    ),
    ...each('Spread', rules.spread),
    ...rules.prefer.map(({ key, value, weight }) => `Prefer=${key}=${value}:${weight}`),
    ...(strategy === 'pack' ? ['Strategy=pack'] : []),
    `Priority=${priority}`,
    ...(needs.memoryBytes > 0 ? [`Memory=${needs.memoryBytes}`] : []),
    ...(needs.nanoCpus > 0 ? [`Cpus=${needs.nanoCpus / nanosPerCpu}`] : []),
    '',
  ].join('\n')
}
