/**
 * A process's connection to its machine's engine. The engine does what it was asked whether or
 * not the process lives to hear of it; a paused process hears later, and a dead one never.
 */
import type { ContainerFacts, Containers } from '../../src/ports/containers.ts'
import type { SimulatedEngine } from './engine.ts'

/** An agent asked its engine to end this container while it ran. */
export interface ContainerStop {
  readonly container: ContainerFacts
  /** Others of any unit that ran beside it then. */
  readonly beside: readonly ContainerFacts[]
}

export interface ConnectionOptions {
  readonly engine: SimulatedEngine
  /** Resolves when the process can hear, and never once it is dead. */
  readonly heard: () => Promise<void>
  readonly onStop: (stop: ContainerStop) => void
}

export function connectEngine({ engine, heard, onStop }: ConnectionOptions): Containers {
  const call = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } finally {
      await heard()
    }
  }
  const stream = async function* <T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of items) {
      await heard()
      yield item
    }
    await heard()
  }
  const noteStop = (id: string): void => {
    const container = engine.running.find((each) => each.id === id)
    if (container === undefined) return
    onStop({ container, beside: engine.running.filter((each) => each.id !== id) })
  }
  return {
    info: () => call(engine.info()),
    list: (label, value) => call(engine.list(label, value)),
    events: (label, value, signal) => stream(engine.events(label, value, signal)),
    create: (name, spec) => call(engine.create(name, spec)),
    start: (id) => call(engine.start(id)),
    stop: (id, signal, graceMs) => {
      noteStop(id)
      return call(engine.stop(id, signal, graceMs))
    },
    remove: (id) => {
      noteStop(id)
      return call(engine.remove(id))
    },
    removeStopped: (id) => call(engine.removeStopped(id)),
    usage: (ids) => call(engine.usage(ids)),
    imageDigest: (reference) => call(engine.imageDigest(reference)),
    pull: (reference, deadlineMs, onProgress, firstWordMs) =>
      call(engine.pull(reference, deadlineMs, onProgress, firstWordMs)),
    images: () => call(engine.images()),
    removeImage: (id, names) => call(engine.removeImage(id, names)),
    diskSpace: () => call(engine.diskSpace()),
    logs: (id, options, signal) => stream(engine.logs(id, options, signal)),
  }
}
