/**
 * Heavy work off the main thread: worker threads on a machine, inline in the simulation. Tasks
 * are named, take and return structured-cloneable values, and are pure.
 */
export interface Compute {
  run<K extends keyof ComputeTasks>(
    task: K,
    input: ComputeTasks[K]['input'],
  ): Promise<ComputeTasks[K]['output']>
}

/** Every task there is. A room that needs another adds it here. */
export interface ComputeTasks {
  readonly sha256: { readonly input: Uint8Array; readonly output: string }
}
