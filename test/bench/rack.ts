/** A racked cluster for the time of one bench. */
import path from 'node:path'
import { bringUpCluster, type ClusterOptions } from '../../src/tools/rack/cluster.ts'
import { binaryFile } from '../../src/tools/rack/demo/cluster-steps.ts'
import { onInterrupt } from '../../src/tools/rack/interrupt.ts'
import { rackDown, rackUp } from '../../src/tools/rack/lifecycle.ts'
import { must } from '../../src/tools/rack/processes.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import type { RackWorld } from '../../src/tools/rack/world.ts'
import { realWorld } from '../tools/rack/world.ts'

export async function inRack<T>(
  options: { readonly hosts: number } & ClusterOptions,
  work: (rack: Rack) => Promise<T>,
): Promise<T> {
  const world = realWorld()
  const name = `bench${process.pid}`
  const { hosts, ...cluster } = options
  const release = onInterrupt(() => takeDown(world, name))
  try {
    const rack = await rackUp(world, { name, hosts, binary: binaryFile })
    await bringUpCluster(rack, cluster)
    return await work(rack)
  } finally {
    await takeDown(world, name)
    release()
  }
}

/** A host with hundreds of containers may take longer to die than one try waits. */
const downTriesMax = 5

async function takeDown(world: RackWorld, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await rackDown(world, { name })
      return
    } catch (error) {
      if (tries === downTriesMax) throw error
    }
  }
}

const buildMsMax = 300_000

/** The figures are of the code as it is now. */
export const buildFirst = (): Promise<string> => {
  const script = path.join(import.meta.dirname, '../../scripts/build.mjs')
  return must([process.execPath, script], { timeoutMs: buildMsMax })
}
