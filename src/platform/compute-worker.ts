/** The worker thread's own side of `platform/compute.ts`: runs tasks one after another. */
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { present } from '../base/assert.ts'
import { describeError } from '../base/errors.ts'
import type { ComputeTasks } from '../ports/compute.ts'
import type { TaskReply, TaskRequest } from './compute.ts'

type Tasks = {
  readonly [K in keyof ComputeTasks]: (input: ComputeTasks[K]['input']) => ComputeTasks[K]['output']
}

const tasks: Tasks = {
  sha256: (input) => createHash('sha256').update(input).digest('hex'),
}

const port = present(parentPort, "a worker thread's port")
port.on('message', (request: TaskRequest) => port.postMessage(answer(request)))

function answer({ id, task, input }: TaskRequest): TaskReply {
  try {
    const run = tasks[task] as (input: unknown) => unknown
    return { id, ok: true, output: run(input) }
  } catch (error) {
    return { id, ok: false, message: describeError(error) }
  }
}
