/**
 * Every key that a unit file may hold. `docs/units.md` has the same table for people, and
 * `test/core/units/docs.test.ts` holds one against the other.
 */
import { nearest } from '../../base/nearest.ts'
import { choiceKeys, lateChoiceKeys } from './choice.ts'
import { fencingKeys } from './fencing.ts'
import { fleetKeys } from './placement.ts'
import { containerInstead, containerKeys } from './quadlet.ts'
import type { Feature } from '../records/features.ts'
import type { UnitOption } from './types.ts'

export const acceptedKeys: Readonly<Record<string, readonly string[]>> = {
  Unit: [
    'Description',
    'Documentation',
    'After',
    'Requires',
    'Wants',
    'BindsTo',
    'StartLimitBurst',
    'StartLimitIntervalSec',
  ],
  Service: [
    'Environment',
    'EnvironmentFile',
    'ExecStart',
    'ExecStartPre',
    'ExecStartPost',
    'ExecStop',
    'ExecStopPost',
    'Restart',
    'RestartSec',
    'TimeoutStartSec',
    'TimeoutStopSec',
    'KillMode',
  ],
  Container: containerKeys,
  Install: ['WantedBy', 'RequiredBy', 'Also', 'Alias'],
  'X-Fleet': [...Object.keys(fleetKeys), ...choiceKeys, ...fencingKeys],
}

/** Keys about failing and dying. */
const lifeKeys: ReadonlySet<string> = new Set([
  'Unit.StartLimitBurst',
  'Unit.StartLimitIntervalSec',
  ...[...fencingKeys, ...lateChoiceKeys].map((key) => `X-Fleet.${key}`),
])

/** What every member must know before a unit with this key may be submitted; undefined: the first releases did. */
export function featureOfKey({ section, name }: UnitOption): Feature | undefined {
  if (lifeKeys.has(`${section}.${name}`)) return 'lifeKeys'
  const isOwn = section === 'Container' || (section === 'X-Fleet' && choiceKeys.includes(name))
  return isOwn ? 'ownUnitKeys' : undefined
}

/** What to do instead, for keys that people are likely to bring along. */
const instead: Readonly<Record<string, string>> = {
  'Unit.Before': 'say After= in the other unit',
  'Unit.BindTo': 'write BindsTo=',
  'Unit.Conflicts': 'say Conflicts= in [X-Fleet]',
  'Service.StartLimitBurst': 'it stands in [Unit]',
  'Service.StartLimitInterval': 'write StartLimitIntervalSec= in [Unit]',
  'Unit.StartLimitInterval': 'write StartLimitIntervalSec=',
  'Service.Type': 'a container runs in the foreground and is up once it is started',
  'Service.TimeoutSec': 'write TimeoutStartSec= and TimeoutStopSec=',
  'Service.ExecReload': 'write a new unit, or signal the container',
  'Service.User': 'say --user in the docker run line',
  'Service.WorkingDirectory': 'say --workdir in the docker run line',
  'Service.LimitNOFILE': 'say --ulimit nofile=… in the docker run line',
  'Service.MemoryLimit': 'say --memory in the docker run line',
  ...containerInstead,
  'X-Fleet.X-ConditionMachineBootID': 'write MachineID=; boot ids change with every boot',
}

/** Undefined when the key is accepted; otherwise why not. */
export function refuseKey(section: string, key: string): string | undefined {
  const keys = Object.hasOwn(acceptedKeys, section) ? acceptedKeys[section] : undefined
  if (keys === undefined) {
    const sections = Object.keys(acceptedKeys)
    const meant = nearest(section, sections)
    if (meant !== undefined) return `[${section}] is no section: write [${meant}]`
    return `[${section}]: the sections are ${sections.map((name) => `[${name}]`).join(', ')}`
  }
  if (keys.includes(key)) return undefined
  const meant = nearest(key, keys)
  const hint = instead[`${section}.${key}`] ?? (meant === undefined ? undefined : `write ${meant}=`)
  return `${key}= in [${section}] is not understood${hint === undefined ? '' : `: ${hint}`}`
}
