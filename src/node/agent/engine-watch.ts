/**
 * What the engine runs, as fresh as its events: listed whole after each (re)connection, after
 * each event and every ten seconds, because an engine that was down tells nothing of what died
 * meanwhile.
 */
import type { MachineId } from '../../base/ids.ts'
import { describeError } from '../../base/errors.ts'
import { unitContainerLabel } from '../../core/reconcile/labels.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { ContainerFacts, Containers, EngineInfo } from '../../ports/containers.ts'
import type { Log } from '../../ports/log.ts'
import type { LookCause } from './counted.ts'

const resyncEveryMs = 10_000
const reconnectAfterMs = 250

/** By an event or a work that is over, or only because it was time. */
type Looked = Extract<LookCause, 'engine' | 'clock'>

export interface EngineWatchOptions {
  readonly containers: Containers
  readonly clock: Clock
  readonly log: Log
  /** `containers`, or whether the engine answers, may have changed. */
  readonly onChange: (by: Looked) => void
  /** The engine has answered after it did not, or for the first time. */
  readonly onConnected: (info: EngineInfo) => void
}

export class EngineWatch {
  readonly #options: EngineWatchOptions
  readonly #label = unitContainerLabel
  #containers: readonly ContainerFacts[] | undefined
  #isKnown = false
  #listing: Promise<void> | undefined
  #next: Promise<void> | undefined
  /** Ends the connection in use. */
  #connection = new AbortController()

  constructor(options: EngineWatchOptions) {
    this.#options = options
  }

  /** Every unit's container, of whatever cluster. Undefined while the engine does not answer. */
  get containers(): readonly ContainerFacts[] | undefined {
    return this.#containers
  }

  /** The engine has been asked: it answered, or it did not. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, containers, onConnected } = this.#options
    void this.#resync(signal)
    signal.addEventListener('abort', () => this.#connection.abort(), { once: true })
    while (!signal.aborted) {
      this.#connection = new AbortController()
      try {
        onConnected(await containers.info())
        const { name, value } = this.#label
        for await (const { kind, id } of containers.events(name, value, this.#connection.signal)) {
          log.debug('engine event', { kind, container: id.slice(0, 12) })
          void this.refresh()
        }
        // The stream broke. If the engine still answers, nothing is in doubt; else `info` says so.
        if (!signal.aborted) await containers.info()
      } catch (error) {
        if (signal.aborted) return
        if (this.#containers !== undefined) {
          log.warn('the container engine does not answer', { cause: describeError(error) })
        }
        this.#setContainers(undefined)
      }
      await sleep(clock, reconnectAfterMs, signal)
    }
  }

  /** Resolves after a list that began after this call. Never rejects. */
  refresh(by: Looked = 'engine'): Promise<void> {
    if (this.#listing === undefined) {
      this.#listing = this.#list(by).finally(() => {
        this.#listing = undefined
      })
      return this.#listing
    }
    this.#next ??= this.#listing.then(() => {
      this.#next = undefined
      return this.refresh()
    })
    return this.#next
  }

  async #resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#options.clock, resyncEveryMs, signal)
      if (!signal.aborted && this.#containers !== undefined) await this.refresh('clock')
    }
  }

  async #list(by: Looked): Promise<void> {
    const { containers, log } = this.#options
    let listed: readonly ContainerFacts[] | undefined
    try {
      listed = await containers.list(this.#label.name, this.#label.value)
    } catch (error) {
      log.warn('the containers could not be listed', { cause: describeError(error) })
      this.#connection.abort()
    }
    // Not within the try: a bug in who is told is no failure of the engine.
    this.#setContainers(listed, by)
  }

  #setContainers(containers: readonly ContainerFacts[] | undefined, by: Looked = 'engine'): void {
    if (containers === undefined && this.#containers === undefined && this.#isKnown) return
    this.#isKnown = true
    this.#containers = containers
    this.#options.onChange(by)
  }
}

/** For people, of an engine whose own restart ends all containers. */
export const noLiveRestoreEvent = (machine: MachineId, name: string) =>
  ({
    kind: 'engine.no-live-restore',
    severity: 'warning',
    code: 'JGD_ENGINE_NO_LIVE_RESTORE',
    message: `${name}: containers die when its engine restarts; set "live-restore": true in /etc/docker/daemon.json`,
    machine,
  }) as const
