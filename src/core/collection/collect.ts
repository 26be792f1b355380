/**
 * Which images a machine removes when its disk fills: none below the ceiling, and once above it, those that
 * nothing has used for longest, until the floor. Only images that the machine's units had pulled are ever
 * chosen: they can be pulled again, and what people put there by hand perhaps cannot.
 */
import type { PulledImage } from './pulled-images.ts'

/**
 * An image is left alone this long after its last use, as by the kubelet: between a pull and the container it
 * was for nothing has it, and a unit that fails is started again, here or after a look elsewhere.
 */
export const unusedMsMin = 120_000
/** Removed one after the other before all is looked at anew. */
export const removalsAtOnce = 16

/** An image that the engine has (`ports/ImageFacts` is one). */
export interface PresentImage {
  readonly id: string
  readonly names: readonly string[]
  readonly sizeBytes: number
  readonly isInUse: boolean
}

export interface CollectionInput {
  readonly nowMs: number
  readonly disk: { readonly totalBytes: number; readonly freeBytes: number }
  readonly bounds: { readonly ceilingPercent: number; readonly floorPercent: number }
  /** It was above the ceiling, and has not been at the floor since. */
  readonly isCollecting: boolean
  readonly present: readonly PresentImage[]
  readonly pulled: readonly PulledImage[]
  /** Ids of images that units placed here name. */
  readonly needed: ReadonlySet<string>
  /** Ids of images that the engine would not let go a short while ago. */
  readonly refused: ReadonlySet<string>
}

export type CollectionDecision =
  | { readonly kind: 'enough-room' }
  /** In this order, until the disk is at the floor. Not empty, at most `removalsAtOnce`. */
  | { readonly kind: 'remove'; readonly images: readonly PresentImage[] }
  /** Images that nothing needs were used a moment ago: they may go later. */
  | { readonly kind: 'nothing-yet' }
  /** Above the floor, and nothing may go. */
  | { readonly kind: 'nothing-to-remove' }

export const usedPercent = ({ totalBytes, freeBytes }: CollectionInput['disk']): number =>
  100 * (1 - freeBytes / totalBytes)

/** Whether the disk asks for a collection, or for the end of one that goes on. */
export function wantsRoom(
  input: Pick<CollectionInput, 'disk' | 'bounds' | 'isCollecting'>,
): boolean {
  const { ceilingPercent, floorPercent } = input.bounds
  return usedPercent(input.disk) > (input.isCollecting ? floorPercent : ceilingPercent)
}

export function collect(input: CollectionInput): CollectionDecision {
  if (!wantsRoom(input)) return { kind: 'enough-room' }
  const unneeded = notNeeded(input)
  if (unneeded.length === 0) return { kind: 'nothing-to-remove' }
  const candidates = unneeded.filter(({ unusedMs }) => unusedMs >= unusedMsMin)
  if (candidates.length === 0) return { kind: 'nothing-yet' }
  const { totalBytes, freeBytes } = input.disk
  const wantedFreeBytes = totalBytes * (1 - input.bounds.floorPercent / 100)
  const images: PresentImage[] = []
  // Layers that others have too do not come free: too few may be chosen, and the rest next time.
  let expectedFreeBytes = freeBytes
  for (const { image } of candidates) {
    if (expectedFreeBytes >= wantedFreeBytes || images.length >= removalsAtOnce) break
    images.push(image)
    expectedFreeBytes += image.sizeBytes
  }
  return { kind: 'remove', images }
}

/** The longest unused first. */
function notNeeded({
  present,
  pulled,
  needed,
  refused,
  nowMs,
}: CollectionInput): readonly { readonly image: PresentImage; readonly unusedMs: number }[] {
  const known = new Map(pulled.map((image) => [image.id, image]))
  return present
    .flatMap((image) => {
      const ours = known.get(image.id)
      if (ours === undefined || image.isInUse) return []
      if (needed.has(image.id) || refused.has(image.id)) return []
      // Somebody gave it a name that no unit had it pulled by: it is wanted.
      if (image.names.some((name) => !ours.names.includes(name))) return []
      return [{ image, unusedMs: nowMs - ours.lastUsedMs }]
    })
    .toSorted((a, b) => b.unusedMs - a.unusedMs || (a.image.id < b.image.id ? -1 : 1))
}
