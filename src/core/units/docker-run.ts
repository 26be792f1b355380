/**
 * The words after `docker run` to the engine's create body. Pure: the same words, variables and
 * files give the same body. Oracle: `test/contract/docker-run.test.ts` compares with what Docker
 * 20.10's own command sends.
 */
import type { ContainerSpec, EndpointSettings } from '../../base/container-spec.ts'
import type { Needs } from '../../base/room.ts'
import { longFlag, shortFlag } from './docker-flags.ts'
import type { DockerFlag } from './docker-flag-kinds.ts'
import { newDraft } from './docker-draft.ts'
import type { Draft, RunContext } from './docker-draft.ts'
import { toRecord } from './docker-setters.ts'
import { localVolumesOf } from './docker-volumes.ts'
import type { PullPolicy } from './types.ts'
import { unknownPiece } from './words.ts'

export interface RunLine {
  /** Undefined while a word waits for the machine. */
  readonly container: ContainerSpec | undefined
  /** Undefined while it waits for the machine. */
  readonly image: string | undefined
  /** From `--name`; only for the unit's own kill, rm and stop lines. */
  readonly name: string | undefined
  readonly pullPolicy: PullPolicy
  /** Of what is known; what waits for the machine asks for nothing. */
  readonly needs: Needs
}

export type RunResult =
  | { readonly ok: true; readonly run: RunLine }
  | { readonly ok: false; readonly reasons: readonly string[] }

/**
 * Reads `words`. A word that holds `unknownPiece` waits for the machine: what can be checked
 * around it is checked. At the first such word that may be flags or image, checking ends.
 */
export function parseDockerRun(words: readonly string[], context: RunContext): RunResult {
  const reader = new FlagReader(words, context)
  const rest = reader.readFlags()
  if (reader.reasons.length > 0) return { ok: false, reasons: reader.reasons }
  const { draft } = reader
  const waiting: RunLine = {
    container: undefined,
    image: undefined,
    name: draft.name,
    pullPolicy: draft.pullPolicy,
    needs: needsOf(draft),
  }
  if (rest === undefined) return { ok: true, run: waiting }
  const [image, ...command] = rest
  if (image === undefined) return { ok: false, reasons: ['no image is named'] }
  if (image.includes(unknownPiece)) return { ok: true, run: waiting }
  if (!isImageReference(image)) {
    return { ok: false, reasons: [`${JSON.stringify(image)} is not the name of an image`] }
  }
  if (reader.isWaiting) return { ok: true, run: { ...waiting, image } }
  const reasons = conflicts(draft)
  if (reasons.length > 0) return { ok: false, reasons }
  const isWaiting = command.some((word) => word.includes(unknownPiece))
  const container = isWaiting ? undefined : finish(draft, image, command)
  return { ok: true, run: { ...waiting, image, container } }
}

/** Reads flags as Docker's command does: up to the first word that is none. */
class FlagReader {
  readonly draft: Draft = newDraft()
  readonly reasons: string[] = []
  /** A value waits for the machine, so the draft is not whole. */
  isWaiting = false
  readonly #words: readonly string[]
  readonly #context: RunContext
  #at = 0

  constructor(words: readonly string[], context: RunContext) {
    this.#words = words
    this.#context = context
  }

  /** The words from the image on; undefined when they cannot be told from flags yet. */
  readFlags(): readonly string[] | undefined {
    for (; this.#at < this.#words.length; this.#at += 1) {
      const word = this.#words[this.#at] as string
      if (word === '--') return this.#words.slice(this.#at + 1)
      if (!word.startsWith('-') || word === '-') {
        return word.startsWith(unknownPiece) ? undefined : this.#words.slice(this.#at)
      }
      const isKnown = word.startsWith('--') ? this.#readLong(word.slice(2)) : this.#readShort(word)
      if (!isKnown) return undefined
    }
    return []
  }

  /** False when the rest cannot be understood. */
  #readLong(body: string): boolean {
    const equals = body.indexOf('=')
    const name = equals < 0 ? body : body.slice(0, equals)
    if (name.includes(unknownPiece)) return false
    const flag = longFlag(name)
    if (flag === undefined) {
      this.reasons.push(`--${name}: Docker 20.10 has no such flag`)
      return false
    }
    const given = equals < 0 ? undefined : body.slice(equals + 1)
    return this.#take(flag, `--${name}`, given)
  }

  /** `-it`, `-p 80:80`, `-p80:80`, `-p=80:80`. */
  #readShort(word: string): boolean {
    for (let at = 1; at < word.length; at += 1) {
      const letter = word[at] as string
      if (letter === unknownPiece) return false
      const flag = shortFlag(letter)
      if (flag === undefined) {
        this.reasons.push(`-${letter}: Docker 20.10 has no such flag`)
        return false
      }
      const rest = word.slice(at + 1)
      if (rest.startsWith('=')) return this.#take(flag, `-${letter}`, rest.slice(1))
      if (flag.takes === 'value') {
        return this.#take(flag, `-${letter}`, rest === '' ? undefined : rest)
      }
      this.#take(flag, `-${letter}`, undefined)
    }
    return true
  }

  #take(flag: DockerFlag, written: string, given: string | undefined): boolean {
    let value = given ?? 'true'
    if (given === undefined && flag.takes === 'value') {
      this.#at += 1
      const next = this.#words[this.#at]
      if (next === undefined) {
        this.reasons.push(`${written}: a value is missing`)
        return false
      }
      value = next
    }
    if (flag.fate.kind === 'refused') {
      this.reasons.push(`${written}: ${flag.fate.reason}`)
      return true
    }
    const isLater = value.includes(unknownPiece)
    if (isLater) this.isWaiting = true
    // The name is compared with those of the other lines, in which the same piece is unknown.
    if (isLater && flag.name === 'name') this.draft.name = value
    if (isLater) return true
    const refusal = flag.fate.apply(this.draft, value, this.#context)
    if (refusal !== undefined) this.reasons.push(`${written}: ${refusal}`)
    return true
  }
}

const namePart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const domainPart = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)'
const domain = `(?:${domainPart}(?:\\.${domainPart})+(?::\\d+)?|${domainPart}:\\d+|localhost)`
const reference = new RegExp(
  `^(?:${domain}/)?${namePart}(?:/${namePart})*(?::\\w[\\w.-]{0,127})?(?:@[a-zA-Z0-9+._-]+:[0-9a-fA-F]{32,})?$`,
)
/** Longest reference there is any use for; it also bounds the matching above. */
const referenceCharactersMax = 512

export const isImageReference = (text: string): boolean =>
  text.length <= referenceCharactersMax && (reference.test(text) || /^[0-9a-f]{64}$/.test(text))

const isUserDefined = (network: string): boolean =>
  !['default', 'bridge', 'host', 'none'].includes(network)

/** Each is a record of its own in the transaction that places the unit. */
const volumesMax = 64

/** What no flag can see alone. */
function conflicts(draft: Draft): string[] {
  const reasons: string[] = []
  if (draft.noHealthcheck && Object.values(draft.health).some((value) => value !== 0)) {
    reasons.push('--no-healthcheck contradicts the --health flags')
  }
  if (draft.logDriver === 'none' && draft.logOptions.length > 0) {
    reasons.push('--log-opt: the log driver "none" has no options')
  }
  const network = draft.networks[0]
  const wantsNetwork =
    draft.aliases.length > 0 ||
    Object.keys(draft.address).length > 0 ||
    (network?.aliases.length ?? 0) > 0
  if (wantsNetwork && !isUserDefined(network?.name ?? 'default')) {
    reasons.push('aliases and addresses need --network with a network that you made yourself')
  }
  if (draft.aliases.length > 0 && (network?.aliases.length ?? 0) > 0) {
    reasons.push('--network-alias contradicts the alias in --network')
  }
  const volumes = localVolumesOf(draft.host)
  if (volumes.length > volumesMax) reasons.push(`at most ${volumesMax} named volumes`)
  const bad = volumes.find((name) => !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/.test(name))
  if (bad !== undefined) reasons.push(`${bad} is no name of a volume`)
  if (draft.host.NanoCpus !== undefined && (draft.host.CpuPeriod ?? draft.host.CpuQuota ?? 0)) {
    reasons.push('--cpus contradicts --cpu-period and --cpu-quota')
  }
  return reasons
}

function finish(draft: Draft, image: string, command: readonly string[]): ContainerSpec {
  const { config, host, health, logDriver, logOptions } = draft
  const environment = lastOfEachName([...draft.environmentFromFiles, ...draft.environment])
  const labels = [...draft.labelsFromFiles, ...draft.labels]
  const hasHealth = Object.values(health).some((value) => value !== 0)
  const endpoint = endpointOf(draft)
  const { exposedPorts, portBindings } = draft
  const hostConfig = {
    ...host,
    ...(Object.keys(portBindings).length === 0 ? {} : { PortBindings: portBindings }),
    ...(logDriver === '' && logOptions.length === 0
      ? {}
      : { LogConfig: { Type: logDriver, Config: toRecord(logOptions) } }),
  }
  return {
    Image: image,
    ...config,
    ...(Object.keys(exposedPorts).length === 0 ? {} : { ExposedPorts: exposedPorts }),
    ...(command.length === 0 ? {} : { Cmd: command }),
    ...(environment.length === 0 ? {} : { Env: environment }),
    ...(labels.length === 0 ? {} : { Labels: toRecord(labels) }),
    ...(draft.noHealthcheck ? { Healthcheck: { Test: ['NONE'] } } : {}),
    ...(hasHealth && !draft.noHealthcheck ? { Healthcheck: health } : {}),
    ...(Object.keys(hostConfig).length === 0 ? {} : { HostConfig: hostConfig }),
    ...(endpoint === undefined ? {} : { NetworkingConfig: { EndpointsConfig: endpoint } }),
  }
}

/** The engine's default of `--cpu-period`, in microseconds. */
const defaultCpuPeriod = 100_000

/** A soft limit (`--memory-reservation`) is what the container is to be sure of, so it comes first. */
function needsOf({ host, portBindings }: Draft): Needs {
  const quota = Math.max(0, host.CpuQuota ?? 0)
  const period =
    host.CpuPeriod === undefined || host.CpuPeriod === 0 ? defaultCpuPeriod : host.CpuPeriod
  const ports = Object.entries(portBindings).flatMap(([inside, bindings]) =>
    bindings.flatMap(({ HostIp: ip, HostPort: port }) =>
      // Of a range the engine takes any that is free.
      /^\d+$/.test(port) && port !== '0'
        ? { port: `${port}/${inside.split('/')[1] ?? 'tcp'}`, ip }
        : [],
    ),
  )
  const volumes = localVolumesOf(host)
  return {
    memoryBytes: host.MemoryReservation || host.Memory || 0,
    nanoCpus: host.NanoCpus ?? Math.round((quota / period) * 1e9),
    ports,
    ...(volumes.length === 0 ? {} : { volumes }),
  }
}

/** A program that finds a variable twice may take either, so each name comes once: the last. */
function lastOfEachName(variables: readonly string[]): readonly string[] {
  const byName = new Map<string, string>()
  for (const variable of variables) byName.set(variable.replace(/=.*$/s, ''), variable)
  return [...byName.values()]
}

function endpointOf(draft: Draft): Readonly<Record<string, EndpointSettings>> | undefined {
  const network = draft.networks[0]
  if (network === undefined) return undefined
  const aliases = [...network.aliases, ...draft.aliases]
  const settings: EndpointSettings = {
    ...(aliases.length === 0 ? {} : { Aliases: aliases }),
    ...(Object.keys(network.driverOptions).length === 0
      ? {}
      : { DriverOpts: network.driverOptions }),
    ...(Object.keys(draft.address).length === 0 ? {} : { IPAMConfig: draft.address }),
  }
  return Object.keys(settings).length === 0 ? undefined : { [network.name]: settings }
}
