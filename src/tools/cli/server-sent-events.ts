/** Reading a stream of server-sent events (HTML standard, 9.2), as far as nodes write them. */
import { JangadaError } from '../../base/errors.ts'

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** One transaction's changes are the longest there is: values as base64, or escaped. */
const eventCharactersMax = 32 * 1_048_576

/** Comments are passed over; an event that the end cuts off is none. */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let event = 'message'
  let data: string[] = []
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > eventCharactersMax) {
      throw new JangadaError('JGD_TOO_LARGE', 'an event has no end')
    }
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') }
        event = 'message'
        data = []
      } else if (line.startsWith('event: ')) event = line.slice(7)
      else if (line.startsWith('data: ')) data.push(line.slice(6))
    }
  }
}
