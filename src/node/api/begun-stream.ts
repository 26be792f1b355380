/** A stream whose first piece was looked at already, so that what fails at once is an answer. */

/**
 * All of what `iterator` gives, `first` at the front. Ending it ends `iterator`, even before anybody
 * has read: a generator in its place would not have begun, and would leave the other one waiting.
 */
export function resume<T>(
  iterator: AsyncIterator<T>,
  first: Promise<IteratorResult<T>>,
): AsyncIterableIterator<T> {
  let held: Promise<IteratorResult<T>> | undefined = first
  return {
    next: (): Promise<IteratorResult<T>> => {
      const next = held ?? iterator.next()
      held = undefined
      return next
    },
    return: async (): Promise<IteratorResult<T>> => {
      await iterator.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<T> {
      return this
    },
  }
}
