/** Keeps commands out of the log that a member of the release before could not apply. */
import { JangadaError } from '../../base/errors.ts'
import { commandLevels, firstFeatureLevel } from '../../core/records/features.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import type { Store } from '../../core/store/store.ts'
import type { Command } from '../../core/store/types.ts'

/**
 * Throws JGD_FEATURE_LEVEL when the cluster's level, as `store` has it, is below the one that
 * `command` came with. What the first release knows costs no look.
 */
export function requireLevelOf(
  command: Pick<Command, 'kind'>,
  store: Pick<Store, 'range'>,
  levels: Readonly<Record<Command['kind'], number>> = commandLevels,
): void {
  const needed = levels[command.kind]
  if (needed <= firstFeatureLevel) return
  const level = clusterLevel(store)
  if (needed <= level) return
  throw new JangadaError(
    'JGD_FEATURE_LEVEL',
    `a command of feature level ${needed}; the cluster's is ${level}`,
    { hint: 'upgrade every member; the level rises by itself after that' },
  )
}

function clusterLevel(store: Pick<Store, 'range'>): number {
  const answer = store.range({ key: clusterSettings.key('cluster') })
  const item = answer.kind === 'range' ? answer.result.items[0] : undefined
  const settings = item === undefined ? undefined : clusterSettings.read(item)?.value
  return settings?.featureLevel ?? firstFeatureLevel
}
