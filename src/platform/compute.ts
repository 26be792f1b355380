/** `ports/Compute` over worker threads. */
import { Worker } from 'node:worker_threads'
import { fromUtf8 } from '../base/bytes.ts'
import { JangadaError } from '../base/errors.ts'
import type { Compute, ComputeTasks } from '../ports/compute.ts'
import { embeddedAsset, isBinary } from './assets.ts'

export interface OpenCompute extends Compute {
  /** Ends the threads; tasks still waiting reject with `JGD_SHUTTING_DOWN`. */
  close(): Promise<void>
}

/** What a thread is asked, and what it answers. */
export interface TaskRequest {
  readonly id: number
  readonly task: keyof ComputeTasks
  readonly input: unknown
}
export type TaskReply =
  | { readonly id: number; readonly ok: true; readonly output: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string }

/** Tasks asked for and not yet answered; above it the caller must wait for some. */
const pendingTasksMax = 1024

interface Waiter {
  readonly resolve: (output: unknown) => void
  readonly reject: (error: Error) => void
}

/** One thread, started by the first task: most commands never need it. */
export function threadCompute(): OpenCompute {
  const waiting = new Map<number, Waiter>()
  let worker: Worker | undefined
  let nextId = 1
  let closed = false

  const failAll = (thread: Worker, error: Error): void => {
    // A thread that failed ends a moment later, when another may have taken its place already.
    if (worker !== thread) return
    worker = undefined
    const waiters = [...waiting.values()]
    waiting.clear()
    for (const waiter of waiters) waiter.reject(error)
  }
  const start = (): Worker => {
    const started = startWorker()
    started.on('message', (reply: TaskReply) => {
      const waiter = waiting.get(reply.id)
      waiting.delete(reply.id)
      if (waiting.size === 0) started.unref()
      if (reply.ok) waiter?.resolve(reply.output)
      else waiter?.reject(new Error(reply.message))
    })
    started.on('error', (cause) => {
      failAll(started, new JangadaError('JGD_INTERNAL', 'the worker thread failed', { cause }))
    })
    started.on('exit', () => failAll(started, shuttingDown()))
    return started
  }
  return {
    run: (task, input) => {
      if (closed) return Promise.reject(shuttingDown())
      if (waiting.size >= pendingTasksMax) {
        return Promise.reject(
          new JangadaError('JGD_OVERLOADED', 'too many tasks wait for a thread'),
        )
      }
      worker ??= start()
      const thread = worker
      const request: TaskRequest = { id: nextId, task, input }
      nextId += 1
      return new Promise((resolve, reject) => {
        waiting.set(request.id, { resolve: resolve as Waiter['resolve'], reject })
        thread.ref()
        thread.postMessage(request)
      })
    },
    close: async () => {
      closed = true
      await worker?.terminate()
    },
  }
}

/** In the binary there is no file to start a thread from: its source is an asset. */
function startWorker(): Worker {
  if (isBinary()) return new Worker(fromUtf8(embeddedAsset('worker.cjs')), { eval: true })
  return new Worker(new URL('compute-worker.ts', import.meta.url))
}

const shuttingDown = (): JangadaError =>
  new JangadaError('JGD_SHUTTING_DOWN', 'the worker thread has ended')
