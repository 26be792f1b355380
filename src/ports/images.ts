/** The images of a container engine, and the disk that they are on. Part of `ports/Containers`. */

export interface Images {
  /** The image's id; undefined when absent. */
  imageDigest(reference: string): Promise<string | undefined>
  /**
   * Rejects with `JGD_IMAGE_PULL` after `deadlineMs`, after `firstWordMs` (as long as that, when not given)
   * without a word of the registry's, or as soon as it says no. What rejected is not pulled any further.
   */
  pull(
    reference: string,
    deadlineMs: number,
    onProgress: (text: string) => void,
    firstWordMs?: number,
  ): Promise<void>
  /** Every image, but for those that are only layers of another. */
  images(): Promise<readonly ImageFacts[]>
  /**
   * Removes the image with all its names; absent is fine. `names` are all that the caller knows of: with
   * another, or while a container has it, running or not, rejects with `JGD_CONFLICT`.
   */
  removeImage(id: string, names: readonly string[]): Promise<void>
  /** Of the file system that images are on; of several, the one with the smallest share left. */
  diskSpace(): Promise<DiskSpace>
}

export interface ImageFacts {
  readonly id: string
  /** `name:tag`, as the engine writes them; empty when its names went to other images. */
  readonly names: readonly string[]
  /** Layers that other images have too are counted with each. */
  readonly sizeBytes: number
  /** A container has it, running or not, whosever it is. */
  readonly isInUse: boolean
}

export interface DiskSpace {
  /** Where on the machine. */
  readonly path: string
  /** Without what the file system keeps for itself, as `df` counts. Above 0. */
  readonly totalBytes: number
  /** Invariant: 0 <= `freeBytes` <= `totalBytes`. */
  readonly freeBytes: number
}
