/**
 * Gathers what the core wants done into effects. Writes are numbered with tokens; this member's
 * own votes and acknowledgements wait here until the token they depend on is durable.
 */
import { assert } from '../../base/assert.ts'
import { flushReads } from './reads.ts'
import type { RaftState } from './state.ts'
import type { AppendEffect, AppendToken, Effect, HardState, Message } from './types.ts'

export class Batches {
  readonly #state: RaftState
  #reported: Pick<RaftState, 'role' | 'leader' | 'term'>
  /** As last handed out, or as restored. */
  #hardState: HardState
  #lastToken = 0 as AppendToken
  /** Every token up to here was reported durable. Invariant: <= `#lastToken`. */
  #durableToken = 0 as AppendToken
  /** Oldest first. */
  #own: { readonly token: AppendToken; readonly messages: readonly Message[] }[] = []

  /** `hardState` is what is on disk. */
  constructor(state: RaftState, hardState: HardState) {
    this.#state = state
    this.#hardState = hardState
    const { role, leader, term } = state
    this.#reported = { role, leader, term }
  }

  take(): readonly Effect[] {
    const state = this.#state
    flushReads(state)
    const effects: Effect[] = []
    this.#reportRole(effects)
    effects.push(...state.notices)
    for (const sent of state.outbox) {
      if ('bulk' in sent) effects.push({ kind: 'sendSnapshot', message: sent.bulk })
      else effects.push({ kind: 'send', message: sent })
    }
    state.notices = []
    state.outbox = []
    const append = this.#takeAppend()
    if (append !== undefined) effects.push(append)
    const entries = state.log.handOutApply()
    if (entries.length > 0) effects.push({ kind: 'apply', entries })
    return effects
  }

  /** Reports `token` and those before it. Returns this member's own messages it sets free. */
  durable(token: AppendToken): readonly Message[] {
    assert(token > this.#durableToken, 'durability is reported in order and once')
    assert(token <= this.#lastToken, 'only what was handed out becomes durable')
    this.#durableToken = token
    const freed: Message[] = []
    for (let own = this.#own[0]; own !== undefined; own = this.#own[0]) {
      if (own.token > token) break
      this.#own.shift()
      freed.push(...own.messages)
    }
    return freed
  }

  #reportRole(effects: Effect[]): void {
    const { role, leader, term } = this.#state
    const reported = this.#reported
    if (reported.role === role && reported.leader === leader && reported.term === term) return
    this.#reported = { role, leader, term }
    effects.push({ kind: 'roleChanged', role, leader, term })
  }

  #takeAppend(): AppendEffect | undefined {
    const state = this.#state
    const now = state.hardState
    const before = this.#hardState
    const voted = now.term !== before.term || now.vote !== before.vote
    const moved = voted || now.commit !== before.commit
    if (!moved && !state.log.hasUnwritten && state.afterAppend.length === 0) return undefined
    assert(now.term >= before.term && now.commit >= before.commit, 'hard state never goes back')
    this.#lastToken = (this.#lastToken + 1) as AppendToken
    const token = this.#lastToken
    const { truncateFrom, entries, snapshot } = state.log.handOut(token)
    const waiting = state.afterAppend
    state.afterAppend = []
    this.#hardState = now
    const own = waiting.filter((message) => message.to === state.id)
    if (own.length > 0) this.#own.push({ token, messages: own })
    return {
      kind: 'append',
      token,
      ...(moved ? { hardState: now } : {}),
      ...(truncateFrom === undefined ? {} : { truncateFrom }),
      entries,
      ...(snapshot === undefined ? {} : { snapshot }),
      mustSync: voted || entries.length > 0 || snapshot !== undefined,
      whenDurable: waiting.filter((message) => message.to !== state.id),
    }
  }
}
