/**
 * The joining machine's side. The pin is checked before the proof is sent (`ports/PinnedHttps`),
 * the answer is checked before anything is kept, and a machine that must wait goes on asking.
 */
import { fromUtf8, utf8 } from '../../base/bytes.ts'
import { errorCodes, JangadaError, type ErrorCode } from '../../base/errors.ts'
import { clusterId, machineId } from '../../base/ids.ts'
import { judgeCertificate } from '../../core/trust/certificate.ts'
import { parseToken } from '../../core/trust/token-text.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Crypto, KeyPair } from '../../ports/crypto.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { PinnedHttps, PinnedResponse, PinnedTarget } from '../../ports/pinned-https.ts'
import type { IdentityFiles } from './identity-files.ts'
import {
  enrolBodyBytesMax,
  enrolPath,
  isEnrolAnswer,
  isRemoteError,
  type Admitted,
  type EnrolAnswer,
  type EnrolRequest,
  type MachineFacts,
  type Peer,
} from './messages.ts'

export interface JoinDeps {
  readonly https: PinnedHttps
  readonly crypto: Crypto
  readonly clock: Clock
  readonly entropy: Entropy
}

export interface Door {
  readonly host: string
  /** 7381 unless the cluster was told otherwise. */
  readonly port: number
}

export interface JoinInput {
  /** Tried in turn until one answers. */
  readonly doors: readonly Door[]
  readonly key: KeyPair
  readonly facts: MachineFacts
  /** Told each time the machine learns that it waits. */
  readonly onPending?: (machineId: string) => void
  readonly signal?: AbortSignal
}

export interface JoinOutcome {
  readonly files: IdentityFiles
  readonly peers: readonly Peer[]
  /** The cluster's wall time when it answered, for a machine whose own clock is wrong. */
  readonly wallMs: number
}

const requestTimeoutMs = 10_000
/** Between two rounds when nobody answers or the cluster cannot: doubles, with jitter. */
const backoffMsMin = 500
const backoffMsMax = 15_000
/** A waiting machine asks at least this often, so that an approval is soon acted on. */
const pollMsMax = 10_000

/** What may be different in a moment; everything else that is refused stays refused. */
const transient: ReadonlySet<ErrorCode> = new Set([
  'JGD_UNREACHABLE',
  'JGD_NO_QUORUM',
  'JGD_NOT_LEADER',
  'JGD_OUTCOME_UNKNOWN',
  'JGD_OVERLOADED',
  'JGD_SHUTTING_DOWN',
  'JGD_TOO_MANY',
  'JGD_INTERNAL',
])

/**
 * `jangada join`. Resolves when admitted, however long that takes. Rejects with JGD_USAGE when it
 * is no join token, JGD_PIN_MISMATCH, JGD_WRONG_CLUSTER when the answer is not what the pin
 * promised, the cluster's own refusal, or JGD_SHUTTING_DOWN when `signal` aborts.
 */
export function joinWithToken(
  deps: JoinDeps,
  tokenText: string,
  input: JoinInput,
): Promise<JoinOutcome> {
  const token = parseToken(tokenText)
  if (token === undefined || token.use !== 'join') {
    return Promise.reject(
      new JangadaError('JGD_USAGE', 'this is not a join token', {
        hint: 'it begins with "J1."; `jangada token create` on any machine of the cluster makes one',
      }),
    )
  }
  const proof = { kind: 'token', id: token.id, secret: token.secret } as const
  return join(deps, input, token.pin, proof, token.clusterId)
}

/** A blank machine's way: nonce and pin come from its boot script. Rejects as `joinWithToken`. */
export function joinWithNonce(
  deps: JoinDeps,
  boot: { readonly nonce: string; readonly pin: string },
  input: JoinInput,
): Promise<JoinOutcome> {
  return join(deps, input, boot.pin, { kind: 'nonce', nonce: boot.nonce }, undefined)
}

async function join(
  deps: JoinDeps,
  input: JoinInput,
  pin: string,
  proof: EnrolRequest['proof'],
  expectedCluster: string | undefined,
): Promise<JoinOutcome> {
  const request = await deps.crypto.makeRequest(input.key, 'joining')
  const body = utf8(JSON.stringify({ proof, request, facts: input.facts } satisfies EnrolRequest))
  let failures = 0
  for (let turn = 0; ; turn += 1) {
    if (input.signal?.aborted === true) {
      throw new JangadaError('JGD_SHUTTING_DOWN', 'joining was stopped')
    }
    const door = input.doors[turn % input.doors.length]
    if (door === undefined) throw new JangadaError('JGD_USAGE', 'no address to join at was given')
    const answer = await ask(deps, { ...door, pin }, body)
    if (answer instanceof JangadaError) {
      if (!transient.has(answer.code)) throw answer
      failures += 1
      // Where one is away, the next may answer: only when all were asked there is time to wait.
      const { length: doors } = input.doors
      if (failures % doors === 0) await pause(deps, backoffOf(failures / doors), input.signal)
    } else if (answer.state === 'pending') {
      failures = 0
      input.onPending?.(answer.machineId)
      await pause(deps, Math.min(answer.retryAfterMs, pollMsMax), input.signal)
    } else {
      return accept(deps.crypto, answer, pin, input.key, expectedCluster)
    }
  }
}

const backoffOf = (rounds: number): number =>
  Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(rounds - 1, 10))

/** Up to a quarter longer, so that a rack that boots at once does not ask at once. */
function pause({ clock, entropy }: JoinDeps, ms: number, signal?: AbortSignal): Promise<void> {
  return sleep(clock, ms + entropy.integer(0, Math.ceil(ms / 4)), signal)
}

/** The cluster's answer or refusal. Throws what is neither, and JGD_PIN_MISMATCH. */
async function ask(
  { https }: JoinDeps,
  target: PinnedTarget,
  body: Uint8Array,
): Promise<EnrolAnswer | JangadaError> {
  let response: PinnedResponse
  try {
    response = await https.request(target, {
      method: 'POST',
      path: enrolPath,
      headers: { 'content-type': 'application/json' },
      body,
      timeoutMs: requestTimeoutMs,
      responseBytesMax: enrolBodyBytesMax,
    })
  } catch (error) {
    if (error instanceof JangadaError) return error
    throw error
  }
  const value = parseJson(response.body)
  if (isEnrolAnswer(value)) return value
  if (!isRemoteError(value)) {
    return new JangadaError('JGD_INTERNAL', `an answer that makes no sense (${response.status})`)
  }
  const { code, message, hint } = value.error
  const known: ErrorCode = code in errorCodes ? (code as ErrorCode) : 'JGD_INTERNAL'
  return new JangadaError(known, message, hint === undefined ? {} : { hint })
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body)) as unknown
  } catch {
    return undefined
  }
}

/** Keeps nothing that the pin does not cover and the key does not match. */
async function accept(
  crypto: Crypto,
  answer: Admitted,
  pin: string,
  key: KeyPair,
  expectedCluster: string | undefined,
): Promise<JoinOutcome> {
  const facts = await crypto.readCertificate(answer.certificatePem, answer.authorityPem)
  const cluster = clusterId(expectedCluster ?? answer.clusterId)
  const machine = machineId(answer.machineId)
  const verdict = facts === undefined ? undefined : judgeCertificate(facts, cluster, machine)
  const isPinned = facts !== undefined && crypto.spkiHash(answer.authorityPem) === pin
  if (!isPinned || facts.keyHash !== key.keyHash || verdict?.kind !== 'ours') {
    throw new JangadaError('JGD_WRONG_CLUSTER', 'the certificate that came back is not ours', {
      hint: 'make a new join token and try again',
    })
  }
  const { roleCeiling, certificatePem, authorityPem, peers, wallMs } = answer
  const { privateKeyPem } = key
  return {
    files: {
      clusterId: cluster,
      machineId: machine,
      roleCeiling,
      privateKeyPem,
      certificatePem,
      authorityPem,
    },
    peers,
    wallMs,
  }
}
