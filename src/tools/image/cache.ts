/**
 * Results of expensive steps, kept by what they were made from. A step whose inputs have not
 * changed is not repeated, in this checkout or in another on the same machine.
 */
import path from 'node:path'
import { sha256OfText } from '../../platform/digest.ts'
import {
  isThere,
  makeTemporary,
  moveTree,
  namesIn,
  removeTree,
  touch,
  touchedMs,
} from '../../platform/file-tree.ts'
import type { Clock } from '../../ports/clock.ts'

/** Results kept of each step: the one in use, and one to go back to. */
const resultsPerStepMax = 2

/** In the name of a result that is being made. One this old belongs to a build that has died. */
const partialMark = '.partial-'
const partialMsMax = 6 * 3600_000

/** Told once when a step starts, and once when it has ended. */
export type Progress =
  | { readonly kind: 'started'; readonly step: string; readonly what: string }
  | {
      readonly kind: 'finished'
      readonly step: string
      readonly milliseconds: number
      readonly reused: boolean
    }

export class StepCache {
  readonly #directory: string
  readonly #clock: Pick<Clock, 'monotonicMs' | 'wallMs'>
  readonly #onProgress: (progress: Progress) => void

  constructor(
    directory: string,
    clock: Pick<Clock, 'monotonicMs' | 'wallMs'>,
    onProgress: (progress: Progress) => void,
  ) {
    this.#directory = directory
    this.#clock = clock
    this.#onProgress = onProgress
  }

  /**
   * The directory that `make` has filled for these `inputs`, now or earlier, and its key. A
   * directory appears under its final name only when it is whole, so a build that was interrupted
   * leaves nothing that a later one would trust.
   */
  async step(
    name: string,
    what: string,
    inputs: unknown,
    make: (directory: string) => Promise<void>,
  ): Promise<{ directory: string; key: string }> {
    const startedMs = this.#clock.monotonicMs()
    this.#onProgress({ kind: 'started', step: name, what })
    const key = sha256OfText(JSON.stringify(inputs)).slice(0, 16)
    const directory = path.join(this.#directory, `${name}-${key}`)
    const reused = await isThere(directory)
    if (!reused) {
      const partial = await makeTemporary(`${directory}${partialMark}`)
      await make(partial)
      // Another build may have made the same meanwhile: then one of the two is enough.
      if (await isThere(directory)) await removeTree(partial)
      else await moveTree(partial, directory)
    }
    await touch(directory, this.#clock.wallMs())
    await this.#prune(name)
    const milliseconds = this.#clock.monotonicMs() - startedMs
    this.#onProgress({ kind: 'finished', step: name, milliseconds, reused })
    return { directory, key }
  }

  /** Removes what was used least recently, beyond the bound, and what dead builds have left. */
  async #prune(name: string): Promise<void> {
    const whole: { directory: string; usedMs: number }[] = []
    for (const entry of await namesIn(this.#directory)) {
      if (!entry.startsWith(`${name}-`)) continue
      const directory = path.join(this.#directory, entry)
      const usedMs = await touchedMs(directory)
      if (!entry.includes(partialMark)) whole.push({ directory, usedMs })
      else if (this.#clock.wallMs() - usedMs > partialMsMax) await removeTree(directory)
    }
    whole.sort((a, b) => b.usedMs - a.usedMs)
    for (const old of whole.slice(resultsPerStepMax)) await removeTree(old.directory)
  }
}
