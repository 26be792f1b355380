/** How the table of `docker run` flags (`docker-flags.ts`) says what a flag takes and sets. */
import type { HostConfig } from '../../base/container-spec.ts'
import type { Draft, Refusal, RunContext } from './docker-draft.ts'
import * as set from './docker-setters.ts'
import {
  cut,
  isIp,
  parseBoolean,
  parseBytes,
  parseDuration,
  parseInteger,
} from './docker-values.ts'

export interface DockerFlag {
  readonly name: string
  readonly short?: string
  /** Spellings that Docker still takes and no longer lists. */
  readonly aliases?: readonly string[]
  readonly takes: 'value' | 'boolean'
  readonly fate:
    | {
        readonly kind: 'carried' | 'understood'
        readonly apply: (draft: Draft, value: string, context: RunContext) => Refusal
      }
    | { readonly kind: 'refused'; readonly reason: string }
}

export type Apply = (draft: Draft, value: string, context: RunContext) => Refusal
export type Extra = Pick<DockerFlag, 'short' | 'aliases'>

export const carried = (name: string, apply: Apply, extra: Extra = {}): DockerFlag => ({
  name,
  ...extra,
  takes: 'value',
  fate: { kind: 'carried', apply },
})

export const toggle = (
  name: string,
  put: (draft: Draft, on: boolean) => void,
  extra: Extra = {},
  kind: 'carried' | 'understood' = 'carried',
): DockerFlag => ({
  name,
  ...extra,
  takes: 'boolean',
  fate: {
    kind,
    apply: (draft, value) => {
      const on = parseBoolean(value)
      if (on === undefined) return `${value} is neither true nor false`
      put(draft, on)
      return undefined
    },
  },
})

export const refused = (
  name: string,
  takes: 'value' | 'boolean',
  reason: string,
  extra: Extra = {},
): DockerFlag => ({ name, ...extra, takes, fate: { kind: 'refused', reason } })

/** A value that `parse` understands, or a refusal that says what was `expected`. */
export const parsed =
  <T>(
    parse: (text: string) => T | undefined,
    expected: string,
    put: (draft: Draft, value: T) => void,
  ): Apply =>
  (draft, text) => {
    const value = parse(text)
    if (value === undefined) return `${text} is not ${expected}`
    put(draft, value)
    return undefined
  }

export const text =
  (put: (draft: Draft, value: string) => void): Apply =>
  (draft, value) => {
    put(draft, value)
    return undefined
  }

export const bytes = (put: (draft: Draft, value: number) => void): Apply =>
  parsed(parseBytes, 'a size, such as 64m', put)

export const integer = (
  put: (draft: Draft, value: number) => void,
  min: number,
  max: number,
): Apply =>
  parsed((value) => parseInteger(value, min, max), `a whole number from ${min} to ${max}`, put)

export const duration = (put: (draft: Draft, value: number) => void): Apply =>
  parsed(parseDuration, 'a duration, such as 30s', put)

export const anyInteger = Number.MAX_SAFE_INTEGER

/** Keys of `HostConfig` that hold a list of strings. */
export type ListKey = {
  [K in keyof HostConfig]-?: NonNullable<HostConfig[K]> extends readonly string[] ? K : never
}[keyof HostConfig]

export const list =
  (key: ListKey, isValid: (value: string) => boolean = () => true, expected = ''): Apply =>
  (draft, value) => {
    if (!isValid(value)) return `${value} is not ${expected}`
    draft.host[key] = [...(draft.host[key] ?? []), value]
    return undefined
  }

/** A mode out of a few; naming another container is refused with its own reason. */
export const mode =
  (
    values: readonly string[],
    put: (draft: Draft, value: string) => void,
    mayNameContainer = false,
  ): Apply =>
  (draft, value) => {
    if (mayNameContainer && value.startsWith('container:')) {
      return `${value}: ${set.otherContainer}`
    }
    if (value === '') return undefined
    if (!values.includes(value)) return `${value} is not one of ${values.join(', ')}`
    put(draft, value)
    return undefined
  }

export type DeviceKey =
  'BlkioDeviceReadBps' | 'BlkioDeviceWriteBps' | 'BlkioDeviceReadIOps' | 'BlkioDeviceWriteIOps'

export const throttle =
  (key: DeviceKey, parseRate: (rate: string) => number | undefined): Apply =>
  (draft, value) => {
    const [path, rateText] = cut(value, ':')
    const rate = parseRate(rateText ?? '')
    if (!path.startsWith('/dev/') || rate === undefined) return `${value} is not /dev/…:rate`
    draft.host[key] = [...(draft.host[key] ?? []), { Path: path, Rate: rate }]
    return undefined
  }

export const operations = (rate: string): number | undefined => parseInteger(rate, 0, anyInteger)

export const weightDevice: Apply = (draft, value) => {
  const [path, weightText] = cut(value, ':')
  const weight = parseInteger(weightText ?? '', 0, 1000)
  if (!path.startsWith('/dev/') || weight === undefined || (weight > 0 && weight < 10)) {
    return `${value} is not /dev/…:weight with a weight of 10 to 1000, or 0`
  }
  draft.host.BlkioWeightDevice = [
    ...(draft.host.BlkioWeightDevice ?? []),
    { Path: path, Weight: weight },
  ]
  return undefined
}

export const addHost: Apply = (draft, value) => {
  const [host, address] = cut(value, ':')
  if (host === '' || address === undefined || !(isIp(address) || address === 'host-gateway')) {
    return `${value} is not host:address`
  }
  draft.host.ExtraHosts = [...(draft.host.ExtraHosts ?? []), value]
  return undefined
}

export const sysctl: Apply = (draft, value) => {
  const [key, setting] = cut(value, '=')
  const isNamespaced =
    /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|net\..+|fs\.mqueue\..+)$/
  if (setting === undefined || !isNamespaced.test(key)) {
    return `${value} is not key=value of a sysctl that a container may have for itself`
  }
  draft.host.Sysctls = { ...draft.host.Sysctls, [key]: setting }
  return undefined
}

export const storage: Apply = (draft, value) => {
  if (!value.includes('=')) return `${value} is not key=value`
  draft.host.StorageOpt = { ...draft.host.StorageOpt, ...set.toRecord([value]) }
  return undefined
}

export const tmpfs: Apply = (draft, value) => {
  const [path, options] = cut(value, ':')
  if (!path.startsWith('/')) return `${value}: write an absolute path in the container`
  draft.host.Tmpfs = { ...draft.host.Tmpfs, [path]: options ?? '' }
  return undefined
}

export const linkLocal: Apply = (draft, value) => {
  if (!isIp(value)) return `${value} is not an address`
  draft.address.LinkLocalIPs = [...(draft.address.LinkLocalIPs ?? []), value]
  return undefined
}

export const isMac = (value: string): boolean => /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(value)
export const isDomain = (value: string): boolean =>
  value === '.' || (/[a-z]/i.test(value) && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?$/i.test(value))
export const where =
  (isValid: (value: string) => boolean) =>
  (value: string): string | undefined =>
    isValid(value) ? value : undefined
