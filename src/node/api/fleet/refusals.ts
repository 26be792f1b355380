/** Refusals as fleet's API words them: `{"error":{"code","message"}}`, the code an HTTP status. */
import type { ApiResponse } from '../messages.ts'

/** Thrown by this room's handlers; `message` may be empty, as fleet's is where nothing is to say. */
export class FleetRefusal extends Error {
  readonly status: number

  constructor(status: number, message = '') {
    super(message)
    this.status = status
  }
}

/** fleet's media type has no parameters, and its clients compare it as a whole. */
export const fleetJson = (value: unknown, status = 200): ApiResponse => ({
  status,
  body: { kind: 'text', text: JSON.stringify(value), type: 'application/json' },
})

/** `201 Created` and `204 No Content` say all there is to say. */
export const nothing = (status: 201 | 204): ApiResponse => ({ status, body: { kind: 'none' } })

export const fleetRefusal = (status: number, message: string): ApiResponse =>
  fleetJson({ error: { code: status, message } }, status)
