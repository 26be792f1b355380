/** The flags of `docker run` whose values have a form of their own, one function each. */
import type { DeviceRequest, Mount } from '../../base/container-spec.ts'
import type { Draft, Mutable, Refusal, RunContext } from './docker-draft.ts'
import {
  type ContainerPorts,
  cut,
  parseBoolean,
  parseBytes,
  parseContainerPorts,
  parseCsv,
  parseInteger,
  parsePublish,
} from './docker-values.ts'
import { parseKeyValueFile } from './environment.ts'

/**
 * Published and exposed by one container, each a port that its machine holds. Bounded so that the
 * record of where a unit is, with every port in it, and the one of what it still holds where it was
 * fit a transaction together, however long their addresses are.
 */
export const portsMax = 10_240

const isAbsolute = (path: string): boolean => path.startsWith('/')

export function setEnvironment(draft: Draft, value: string, context: RunContext): Refusal {
  const [name, given] = cut(value, '=')
  if (name === '') return 'a variable needs a name'
  const inherited = given === undefined ? context.variable(name) : undefined
  draft.environment.push(inherited === undefined ? value : `${name}=${inherited}`)
  return undefined
}

/** `--env-file` and `--label-file`: a file of the machine the container runs on. */
export function addFile(
  lines: string[],
  path: string,
  context: RunContext,
  lookup: (name: string) => string | undefined,
): Refusal {
  if (!isAbsolute(path)) return `${path}: write the file's absolute path`
  const file = context.read(path)
  if (file.kind === 'later') return undefined
  if (file.kind === 'absent') return `${path}: there is no such file on this machine`
  const parsed = parseKeyValueFile(file.text, lookup)
  if (!parsed.ok) return `${path}: ${parsed.reason}`
  lines.push(...parsed.lines)
  return undefined
}

/** Labels of this prefix say whose container it is; the agent alone writes them. */
export const reservedLabelPrefix = 'jangada.'

export function setLabel(draft: Draft, value: string): Refusal {
  const [key] = cut(value, '=')
  if (key.trim() === '' || /[ \t]/.test(key)) return `${value}: a label's key has no spaces`
  if (key.startsWith(reservedLabelPrefix)) {
    return `${key}: labels that start with ${reservedLabelPrefix} are the agent's own`
  }
  draft.labels.push(value)
  return undefined
}

const volumeOption = /^(ro|rw|z|Z|nocopy|r?shared|r?slave|r?private|consistent|cached|delegated)$/

export function setVolume(draft: Draft, value: string): Refusal {
  const [source, target, options, ...more] = value.split(':')
  if (source === undefined || source === '' || target === '' || options === '') {
    return `${value}: a part between the colons is empty`
  }
  if (more.length > 0) return `${value}: at most two colons, source:target:options`
  if (target === undefined) {
    if (!isAbsolute(source)) return `${value}: write an absolute path in the container`
    draft.config.Volumes = { ...draft.config.Volumes, [source]: {} }
    return undefined
  }
  if (!isAbsolute(source) && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(source)) {
    return `${value}: the source is an absolute path, or a volume's name of two characters or more`
  }
  if (!isAbsolute(target)) return `${value}: the path in the container is absolute`
  const unknown = options?.split(',').find((option) => !volumeOption.test(option))
  if (unknown !== undefined) return `${value}: ${unknown} is no option of a volume`
  const binds = draft.host.Binds ?? []
  if (!binds.includes(value)) draft.host.Binds = [...binds, value]
  return undefined
}

export function setPublish(draft: Draft, value: string): Refusal {
  const ports = parsePublish(standardPublish(value))
  if (ports === undefined) {
    return `${value}: write [[ip:]host-port:]container-port[/protocol] with addresses and numbers`
  }
  const { container, host, hostIp } = ports
  const tooMany = countPorts(draft, container)
  if (tooMany !== undefined) return tooMany
  const [from, to] = container.range
  for (let inside = from; inside <= to; inside += 1) {
    const port = `${inside}/${container.protocol}`
    const hostPort = typeof host === 'number' ? String(host + inside - from) : host
    const bindings = (draft.portBindings[port] ??= [])
    bindings.push({ HostIp: hostIp, HostPort: hostPort })
    draft.exposedPorts[port] = {}
  }
  return undefined
}

/** Before any is counted up: a range is a few letters, and thousands of ports. */
function countPorts(draft: Draft, { range: [from, to] }: ContainerPorts): Refusal {
  draft.portsNamed += to - from + 1
  if (draft.portsNamed <= portsMax) return undefined
  return `a unit has at most ${portsMax} ports: with more, give the container the host's network`
}

/** The long form, `published=80,target=8080,protocol=tcp`, as the short one. */
function standardPublish(value: string): string {
  if (!value.includes('=')) return value
  const fields: Record<string, string | undefined> = Object.fromEntries(
    value.split(',').map((field) => cut(field, '=')),
  )
  const known = Object.keys(fields).every((key) => /^(published|target|protocol)$/.test(key))
  if (!known) return ''
  return `${fields['published'] ?? ''}:${fields['target'] ?? ''}/${fields['protocol'] ?? 'tcp'}`
}

export function setExpose(draft: Draft, value: string): Refusal {
  const ports = parseContainerPorts(value)
  if (ports === undefined) return `${value}: write port[-port][/protocol]`
  const tooMany = countPorts(draft, ports)
  if (tooMany !== undefined) return tooMany
  for (let port = ports.range[0]; port <= ports.range[1]; port += 1) {
    draft.exposedPorts[`${port}/${ports.protocol}`] = {}
  }
  return undefined
}

const ulimitNames =
  /^(core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack)$/

export function setUlimit(draft: Draft, value: string): Refusal {
  const [name, limits] = cut(value, '=')
  const [softText, hardText] = cut(limits ?? '', ':')
  const soft = parseInteger(softText, -1, Number.MAX_SAFE_INTEGER)
  const hard = hardText === undefined ? soft : parseInteger(hardText, -1, Number.MAX_SAFE_INTEGER)
  if (!ulimitNames.test(name)) return `${value}: there is no limit of the name ${name}`
  if (soft === undefined || hard === undefined) return `${value}: write name=soft[:hard]`
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    return `${value}: the soft limit is at most the hard limit`
  }
  const others = (draft.host.Ulimits ?? []).filter((limit) => limit.Name !== name)
  draft.host.Ulimits = [...others, { Name: name, Soft: soft, Hard: hard }]
  return undefined
}

const isDeviceMode = (text: string): boolean =>
  /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length

export function setDevice(draft: Draft, value: string): Refusal {
  const parts = value.split(':')
  const [source, second, third] = parts
  if (source === undefined || source === '' || parts.length > 3) {
    return `${value}: write path[:path-in-container][:rwm]`
  }
  if (source.endsWith('*')) return `${value}: name each device; a machine's devices differ`
  if (third !== undefined && !isDeviceMode(third)) return `${value}: ${third} is not of r, w and m`
  const mode = third ?? (second !== undefined && isDeviceMode(second) ? second : 'rwm')
  const inside =
    second === undefined || (third === undefined && isDeviceMode(second)) ? source : second
  if (!isAbsolute(inside)) return `${value}: ${inside} is not an absolute path`
  draft.host.Devices = [
    ...(draft.host.Devices ?? []),
    { PathOnHost: source, PathInContainer: inside, CgroupPermissions: mode },
  ]
  return undefined
}

const gpuKeys = new Set(['driver', 'count', 'device', 'capabilities', 'options'])

export function setGpus(draft: Draft, value: string): Refusal {
  const fields = new Map<string, string>()
  for (const field of parseCsv(value) ?? ['']) {
    const [key, given] = cut(field, '=')
    if (given === undefined) fields.set('count', key)
    else if (gpuKeys.has(key)) fields.set(key, given)
    else return `${value}: ${key} is no part of a GPU request`
  }
  const device = fields.get('device')
  const countText = fields.get('count') ?? (device === undefined ? '1' : '0')
  const count = countText === 'all' ? -1 : parseInteger(countText, 0, 1024)
  const options = parseCsv(fields.get('options') ?? '') ?? []
  if (count === undefined) return `${value}: ${countText} is neither "all" nor a number`
  const capabilities = fields.get('capabilities')
  const request: DeviceRequest = {
    Driver: fields.get('driver') ?? '',
    Count: count,
    ...(device === undefined ? {} : { DeviceIDs: device.split(',') }),
    Capabilities: [capabilities === undefined ? ['gpu'] : [...capabilities.split(','), 'gpu']],
    Options: toRecord(options),
  }
  draft.host.DeviceRequests = [...(draft.host.DeviceRequests ?? []), request]
  return undefined
}

/** `key=value` words as a record; a later key wins, a word without `=` is an empty value. */
export const toRecord = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    words.map((word) => {
      const [key, value] = cut(word, '=')
      return [key, value ?? '']
    }),
  )

export function setSecurityOption(draft: Draft, value: string, context: RunContext): Refusal {
  const separator = value.includes('=') ? '=' : ':'
  const [key, setting] = cut(value, separator)
  if (value === 'systempaths=unconfined') {
    draft.host.MaskedPaths = []
    draft.host.ReadonlyPaths = []
    return undefined
  }
  if (setting === undefined && key !== 'no-new-privileges') return `${value}: write key=value`
  let option = value
  if (key === 'seccomp' && setting !== undefined && setting !== 'unconfined') {
    if (!isAbsolute(setting)) return `${value}: write the profile's absolute path`
    const file = context.read(setting)
    if (file.kind === 'later') return undefined
    if (file.kind === 'absent') return `${setting}: there is no such file on this machine`
    try {
      option = `seccomp=${JSON.stringify(JSON.parse(file.text))}`
    } catch {
      return `${setting}: the seccomp profile is not JSON`
    }
  }
  draft.host.SecurityOpt = [...(draft.host.SecurityOpt ?? []), option]
  return undefined
}

export function setNetwork(draft: Draft, value: string): Refusal {
  if (draft.networks.length > 0) return 'the engine connects one network when it makes a container'
  if (!/\w+=\w+/.test(value)) return addNetwork(draft, value, [], {})
  let name = ''
  const aliases: string[] = []
  const driverOptions: Record<string, string> = {}
  for (const field of parseCsv(value) ?? []) {
    const [key, given] = cut(field, '=')
    if (given === undefined) return `${value}: write key=value fields`
    if (key === 'name') name = given
    else if (key === 'alias') aliases.push(given)
    else if (key === 'driver-opt' && given.includes('=')) {
      Object.assign(driverOptions, toRecord([given]))
    } else return `${value}: ${key} is no part of a network`
  }
  return addNetwork(draft, name, aliases, driverOptions)
}

export const otherContainer =
  "another container's name says nothing here: Jangada names containers itself"

function addNetwork(
  draft: Draft,
  name: string,
  aliases: readonly string[],
  driverOptions: Readonly<Record<string, string>>,
): Refusal {
  if (name.trim() === '') return 'a network needs a name'
  if (name.startsWith('container:')) return `${name}: ${otherContainer}`
  draft.networks.push({ name, aliases, driverOptions })
  draft.host.NetworkMode = name
  return undefined
}

interface MountDraft extends Omit<Mutable<Mount>, 'Type' | 'Target'> {
  type: string
  target: string
  volume: { noCopy?: boolean; name?: string; labels: string[]; options: string[] }
  bind: Mutable<NonNullable<Mount['BindOptions']>>
  tmpfs: Mutable<NonNullable<Mount['TmpfsOptions']>>
}

export function setMount(draft: Draft, value: string): Refusal {
  const fields = parseCsv(value)
  if (fields === undefined) return `${value}: write comma-separated key=value fields`
  const mount: MountDraft = {
    type: 'volume',
    target: '',
    volume: { labels: [], options: [] },
    bind: {},
    tmpfs: {},
  }
  for (const field of fields) {
    const refusal = setMountField(mount, field)
    if (refusal !== undefined) return `${value}: ${refusal}`
  }
  const finished = finishMount(mount)
  if (typeof finished === 'string') return `${value}: ${finished}`
  draft.host.Mounts = [...(draft.host.Mounts ?? []), finished]
  return undefined
}

function setMountField(mount: MountDraft, field: string): Refusal {
  const [key, given] = cut(field, '=')
  const value = given ?? ''
  const flag = given === undefined ? true : parseBoolean(value)
  if (given === undefined && !/^(readonly|ro|volume-nocopy|bind-nonrecursive)$/.test(key)) {
    return `${field} needs a value`
  }
  if (/^(type)$/.test(key)) mount.type = value.toLowerCase()
  else if (/^(source|src)$/.test(key)) mount.Source = value
  else if (/^(target|dst|destination)$/.test(key)) mount.target = value
  else if (key === 'consistency') mount.Consistency = value.toLowerCase()
  else if (key === 'bind-propagation') mount.bind.Propagation = value.toLowerCase()
  else if (key === 'volume-driver') mount.volume.name = value
  else if (key === 'volume-label') mount.volume.labels.push(value)
  else if (key === 'volume-opt') mount.volume.options.push(value)
  else if (key === 'tmpfs-size') {
    const bytes = parseBytes(value)
    if (bytes === undefined) return `${field} is no size`
    mount.tmpfs.SizeBytes = bytes
  } else if (key === 'tmpfs-mode') {
    if (!/^[0-7]{1,8}$/.test(value)) return `${field} is no mode of octal digits`
    mount.tmpfs.Mode = parseInt(value, 8)
  } else if (flag === undefined) return `${field} is neither true nor false`
  else if (/^(readonly|ro)$/.test(key)) mount.ReadOnly = flag
  else if (key === 'volume-nocopy') mount.volume.noCopy = flag
  else if (key === 'bind-nonrecursive') mount.bind.NonRecursive = flag
  else return `${key} is no part of a mount`
  return undefined
}

function finishMount(mount: MountDraft): Mount | string {
  const { type, target, volume, bind, tmpfs, ...common } = mount
  const hasVolume =
    volume.noCopy !== undefined ||
    volume.name !== undefined ||
    volume.labels.length + volume.options.length > 0
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs') {
    return `a mount's type is bind, volume or tmpfs, not ${type}`
  }
  if (!isAbsolute(target)) return 'a mount needs a target, an absolute path in the container'
  if (hasVolume && type !== 'volume') return `volume-… has no place in a mount of type ${type}`
  if (Object.keys(bind).length > 0 && type !== 'bind') {
    return `bind-… has no place in a mount of type ${type}`
  }
  if (Object.keys(tmpfs).length > 0 && type !== 'tmpfs') {
    return `tmpfs-… has no place in a mount of type ${type}`
  }
  if (type === 'bind' && !isAbsolute(common.Source ?? '')) {
    return 'a bind mount needs a source, an absolute path of the machine'
  }
  if (type === 'tmpfs' && common.Source !== undefined) return 'a tmpfs mount has no source'
  const driver = {
    ...(volume.name === undefined ? {} : { Name: volume.name }),
    ...(volume.options.length === 0 ? {} : { Options: toRecord(volume.options) }),
  }
  return {
    Type: type,
    Target: target,
    ...common,
    ...(Object.keys(bind).length === 0 ? {} : { BindOptions: bind }),
    ...(Object.keys(tmpfs).length === 0 ? {} : { TmpfsOptions: tmpfs }),
    ...(!hasVolume
      ? {}
      : {
          VolumeOptions: {
            ...(volume.noCopy === undefined ? {} : { NoCopy: volume.noCopy }),
            ...(volume.labels.length === 0 ? {} : { Labels: toRecord(volume.labels) }),
            ...(Object.keys(driver).length === 0 ? {} : { DriverConfig: driver }),
          },
        }),
  }
}
