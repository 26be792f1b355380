/** A racked cluster for the time of one bench. */
import path from 'node:path'
import { bringUpCluster, type ClusterOptions } from '../../src/tools/rack/cluster.ts'
import { binaryFile } from '../../src/tools/rack/demo/cluster-steps.ts'
import { onInterrupt } from '../../src/tools/rack/interrupt.ts'
import { rackDown, rackUp } from '../../src/tools/rack/lifecycle.ts'
import { must } from '../../src/tools/rack/processes.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { realWorld } from '../tools/rack/world.ts'

export async function inRack<T>(
  options: { readonly hosts: number } & ClusterOptions,
  work: (rack: Rack) => Promise<T>,
): Promise<T> {
  const world = realWorld()
  const name = `bench${process.pid}`
  const { hosts, ...cluster } = options
  const release = onInterrupt(() => rackDown(world, { name }))
  try {
    const rack = await rackUp(world, { name, hosts, binary: binaryFile })
    await bringUpCluster(rack, cluster)
    return await work(rack)
  } finally {
    await rackDown(world, { name })
    release()
  }
}

const buildMsMax = 300_000

/** The figures are of the code as it is now. */
export const buildFirst = (): Promise<string> => {
  const script = path.join(import.meta.dirname, '../../scripts/build.mjs')
  return must([process.execPath, script], { timeoutMs: buildMsMax })
}
