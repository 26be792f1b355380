/** A request to fleet's API whose sender may ask it. */
import type { ApiRequest } from '../messages.ts'

export interface FleetRequest extends Pick<ApiRequest, 'headers' | 'query' | 'repeated'> {
  /** Whatever the media type says; undefined when there is no body. Rejects with JGD_BAD_REQUEST. */
  readonly readJson: () => Promise<unknown>
}
