/**
 * Questions to a Docker engine on a unix socket, each with its time. dockerode is loaded when the engine is
 * first spoken to: commands that never do so start without it.
 */
import type Docker from 'dockerode'
import { engineError } from './docker-errors.ts'

/** An engine that does not answer a question in this time counts as down. */
const askMs = 5_000
/** Creating and starting touch the disk and the kernel; a busy machine takes seconds. */
const changeMs = 60_000

export class DockerConnection {
  readonly #socketPath: string
  #client: Promise<Docker> | undefined

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** Rejects as `engineError` says, as the others here do. */
  ask<T>(question: (docker: Docker, signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.call((docker) => {
      const signal = AbortSignal.timeout(askMs)
      // Not every question of dockerode's takes the signal, and a stopped engine never answers.
      return Promise.race([question(docker, signal), rejectOn(signal)])
    })
  }

  change<T>(
    change: (docker: Docker, signal: AbortSignal) => Promise<T>,
    limitMs = changeMs,
  ): Promise<T> {
    return this.call((docker) => change(docker, AbortSignal.timeout(limitMs)))
  }

  info(): Promise<Readonly<Record<string, unknown>>> {
    return this.ask(async (docker, abortSignal) => {
      // The types of dockerode know no options here; dockerode itself does.
      const ask = docker.info.bind(docker) as (options: object) => Promise<unknown>
      return (await ask({ abortSignal })) as Record<string, unknown>
    })
  }

  /** Without a time of its own. */
  async call<T>(call: (docker: Docker) => Promise<T>): Promise<T> {
    try {
      return await call(await this.#docker())
    } catch (error) {
      throw engineError(error)
    }
  }

  #docker(): Promise<Docker> {
    this.#client ??= import('dockerode').then(
      ({ default: Client }) => new Client({ socketPath: this.#socketPath }),
    )
    return this.#client
  }
}

const rejectOn = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const fail = (): void => reject(new Error(`no answer in ${askMs} ms`))
    signal.addEventListener('abort', fail, { once: true })
  })

/** Timers of the platform take 24 days at most, and take more for none at all. */
export const abortAfter = (ms: number): AbortSignal =>
  AbortSignal.timeout(Math.ceil(Math.min(ms, 2 ** 31 - 1)))
