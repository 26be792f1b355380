/** What a container said last before it failed: that explains the failure, also where the container is gone. */
import { concat, fromUtf8 } from '../../base/bytes.ts'
import { describeError } from '../../base/errors.ts'
import type { UnitName } from '../../base/ids.ts'
import { describeEnd, failed } from '../../core/reconcile/restart.ts'
import type { UnitMemory } from '../../core/reconcile/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Containers } from '../../ports/containers.ts'
import type { Log } from '../../ports/log.ts'

/** The last lines may be blank. */
const linesAsked = 5
const bytesMax = 64 * 1024
const charactersMax = 200
/** An engine that does not answer in this time is asked no more. */
const patienceMs = 2000

export interface LastWordsOptions {
  readonly containers: Pick<Containers, 'logs'>
  readonly clock: Clock
  readonly log: Log
  /** What is told of a unit is another now. */
  readonly onChange: () => void
}

interface Words {
  readonly hash: string
  readonly containerId: string
  text: string
}

export class LastWords {
  readonly #options: LastWordsOptions
  readonly #known = new Map<UnitName, Words>()

  constructor(options: LastWordsOptions) {
    this.#options = options
  }

  /**
   * `message`, with the words if it tells of a failed run. They are asked for when they are not known yet; until
   * they come, those of the run before are the best there is.
   */
  explain(unit: UnitName, memory: UnitMemory | undefined, message: string): string {
    const end = memory?.end?.how
    if (memory === undefined || end?.kind !== 'exited' || !failed(end, false)) return message
    const why = describeEnd(end)
    const words = message.startsWith(why) ? this.#of(unit, memory.hash, end.containerId) : ''
    return words === '' ? message : `${why}: "${words}"${message.slice(why.length)}`
  }

  /** Others are remembered no more. */
  keep(units: Pick<ReadonlyMap<UnitName, unknown>, 'has'>): void {
    for (const unit of this.#known.keys()) if (!units.has(unit)) this.#known.delete(unit)
  }

  #of(unit: UnitName, hash: string, containerId: string): string {
    const before = this.#known.get(unit)
    if (before?.containerId === containerId) return before.text
    const words = { hash, containerId, text: before?.hash === hash ? before.text : '' }
    this.#known.set(unit, words)
    void this.#ask(words)
    return words.text
  }

  async #ask(words: Words): Promise<void> {
    const { containers, clock, log, onChange } = this.#options
    const end = new AbortController()
    const late = clock.after(patienceMs, () => end.abort())
    const parts: Uint8Array[] = []
    let bytes = 0
    try {
      const output = containers.logs(
        words.containerId,
        { tail: linesAsked, follow: false },
        end.signal,
      )
      for await (const part of output) {
        parts.push(part)
        bytes += part.length
        if (bytes > bytesMax) break
      }
    } catch (error) {
      log.debug('what a container said last is not known', { cause: describeError(error) })
    } finally {
      late.cancel()
    }
    const text = lastLineOf(fromUtf8(concat(parts)))
    if (text === words.text) return
    words.text = text
    onChange()
  }
}

/** Without what would move a terminal's cursor or colour it. */
function lastLineOf(text: string): string {
  const plain = text.replaceAll(/\p{Cc}\[[0-9;]*[A-Za-z]/gu, '')
  const lines = plain.split(/[\r\n]+/).map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trim())
  const last = lines.findLast((line) => line !== '') ?? ''
  return last.length > charactersMax ? `${last.slice(0, charactersMax)}…` : last
}
