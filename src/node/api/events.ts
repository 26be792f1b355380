/** What happened, for people. */
import type { EventsAnswer } from './answers.ts'
import { numberOf } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import { readEvents } from './records.ts'
import type { Route } from './router.ts'
import { eventRow, stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'

const eventsMax = 1000

export function eventRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/events',
      access: 'read',
      handle: async (request) => {
        const limit = numberOf(request, 'limit', { fallback: 100, min: 1, max: eventsMax })
        const view = await viewOrCutOff(context)
        const { events, revision } = await readEvents(context.store, limit)
        const answer: EventsAnswer = {
          revision,
          stale: stalenessOf(view),
          events: events.map(eventRow),
        }
        return json(answer)
      },
    },
  ]
}
