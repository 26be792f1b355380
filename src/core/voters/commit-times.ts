/** How old what a follower holds is: when the log passed each index, as the leader saw it. */

/** At ten looks a second, this reaches back a minute; who is further behind is told so. */
const samplesMax = 600

export interface Behind {
  readonly ms: number
  /** The true figure may be larger: memory does not reach further back. */
  readonly isAtLeast: boolean
}

/** Invariant: samples ascend in time and in index. */
export class CommitTimes {
  readonly #samples: { readonly atMs: number; readonly commit: number }[] = []

  /** `commit` is committed at `atMs`; of one index only the first time counts. */
  note(atMs: number, commit: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && commit <= last.commit) return
    this.#samples.push({ atMs, commit })
    if (this.#samples.length > samplesMax) this.#samples.shift()
  }

  /** How long ago something was committed that a follower holding `match` does not have. */
  behind(nowMs: number, match: number): Behind {
    const missing = this.#samples.findIndex(({ commit }) => commit > match)
    const sample = this.#samples[missing]
    if (sample === undefined) return { ms: 0, isAtLeast: false }
    return { ms: Math.max(0, nowMs - sample.atMs), isAtLeast: missing === 0 }
  }
}
