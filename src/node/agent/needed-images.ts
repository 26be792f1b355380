/** Which images the units that are placed on this machine name. */
import { isJangadaError } from '../../base/errors.ts'
import type { PlacedUnits } from './placed-units.ts'
import { type ContainerContext, readyContainer } from './unit-container.ts'

export type Placed = Pick<PlacedUnits, 'desired' | 'specOf'>

/**
 * References as the units write them. Undefined while that is not known: placements were not listed, or a
 * unit's file is still being read.
 */
export async function neededImages(
  context: Pick<ContainerContext, 'host' | 'machineId'>,
  placed: Placed,
): Promise<ReadonlySet<string> | undefined> {
  const references = new Set<string>()
  const { desired } = placed
  if (desired === undefined) return undefined
  for (const { name, hash, plan } of desired) {
    if (plan.kind === 'reading') return undefined
    const spec = placed.specOf(name, hash)
    if (spec === undefined) continue
    try {
      const { container, pulls } = await readyContainer(context, spec)
      references.add(container.Image)
      for (const { image } of pulls) references.add(image)
    } catch (error) {
      // It cannot start here as it stands: which image it would want, nobody can say.
      if (!isJangadaError(error)) throw error
    }
  }
  return references
}

/** The same again means that no unit has come, gone or changed. */
export const placedKey = ({ desired }: Placed): string =>
  (desired ?? []).map(({ name, hash, plan }) => `${name} ${hash} ${plan.kind}`).join('\n')
