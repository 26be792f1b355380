/** What is not written before every member's binary knows it. */
import { JangadaError } from '../../base/errors.ts'
import { type Feature, features, firstFeatureLevel } from '../../core/records/features.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import { type EnrolStore, readAlso } from '../enrol/context.ts'
import { type ClusterRecords, readCluster } from './records.ts'

/** Throws JGD_FEATURE_LEVEL when a member's binary would not know what is asked for. */
export function requireFeature(records: ClusterRecords, feature: Feature): void {
  const level = records.settings?.featureLevel ?? firstFeatureLevel
  if (level >= features[feature]) return
  const late = records.members.flatMap((member) => {
    const machine = records.machines.get(member.machineId)
    const isLate = (machine?.featureLevel ?? firstFeatureLevel) < features[feature]
    return machine !== undefined && isLate ? [machine.name] : []
  })
  throw new JangadaError(
    'JGD_FEATURE_LEVEL',
    `this needs feature level ${features[feature]}; the cluster's is ${level}`,
    {
      hint:
        late.length > 0
          ? `upgrade ${late.join(', ')}; the level rises by itself after that`
          : 'every member knows it; the level rises in a moment',
    },
  )
}

/** As `requireFeature`, for a decision that has read before. */
export async function requireFeatureOf(store: EnrolStore, feature: Feature): Promise<void> {
  const settings = await readAlso(store, clusterSettings, 'cluster')
  const level = settings?.value.featureLevel ?? firstFeatureLevel
  if (level < features[feature]) requireFeature(await readCluster(store), feature)
}
