/**
 * The values that `docker run` flags take. Each parser returns undefined for what Docker 20.10
 * would refuse; `test/contract/docker-run.test.ts` holds them against the real command.
 */

const bytesOfSuffix: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
}

/** `64m`, `1.5g`, `100`, `64MiB`, `2 GB`: bytes, powers of 1,024. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?b?|(b))?$/i.exec(text)
  if (match === null) return undefined
  const factor = bytesOfSuffix[(match[2] ?? match[3] ?? '').toLowerCase()]
  if (factor === undefined) return undefined
  const bytes = Math.floor(Number(match[1]) * factor)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Decimal whole numbers, as Go's `strconv` takes them (`0x` and `0` prefixes included). */
export function parseInteger(text: string, min: number, max: number): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9]\d*)$/.exec(text)
  if (match === null) return undefined
  const digits = (match[2] as string).replace(/^0([0-7])/, '0o$1')
  const value = Number(digits) * (match[1] === '-' ? -1 : 1)
  return Number.isSafeInteger(value) && value >= min && value <= max ? value + 0 : undefined
}

export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false
  return undefined
}

/** `1.5` processors as billionths; more than nine decimals is too precise. */
export function parseNanoCpus(text: string): number | undefined {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text)
  if (match === null || `${match[1]}${match[2] ?? ''}` === '') return undefined
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > 9) return undefined
  const nano = Number(match[1]) * 1e9 + Number(fraction.padEnd(9, '0'))
  return Number.isSafeInteger(nano) ? nano : undefined
}

const nanosecondsOf: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Go's duration, `1m30s`, in nanoseconds. A number needs a unit, except 0. */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  if (!/^\+?(\d+(\.\d*)?|\.\d+)(ns|[uµμm]s|[smh])/u.test(text)) return undefined
  const term = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/uy
  let total = 0
  let at = text.startsWith('+') ? 1 : 0
  while (at < text.length) {
    term.lastIndex = at
    const match = term.exec(text)
    if (match === null) return undefined
    total += Math.floor(Number(match[1]) * (nanosecondsOf[match[2] as string] as number) + 1e-6)
    at = term.lastIndex
  }
  return Number.isSafeInteger(total) ? total : undefined
}

/** One line of comma-separated fields; a field between double quotes may hold commas. */
export function parseCsv(text: string): readonly string[] | undefined {
  if (text === '' || text.includes('\n')) return undefined
  const fields: string[] = []
  let at = 0
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(?=,|$)/.exec(text.slice(at))
    if (quoted === null) {
      const bare = /^[^,]*/.exec(text.slice(at))?.[0] ?? ''
      if (bare.includes('"')) return undefined
      fields.push(bare)
      at += bare.length
    } else {
      fields.push((quoted[1] as string).replaceAll('""', '"'))
      at += quoted[0].length
    }
    if (at >= text.length) return fields
    at += 1
  }
}

export const isIpv4 = (text: string): boolean =>
  /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text)

export function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1)
  let count = groups.length
  if (last?.includes('.') === true && !text.endsWith('::')) {
    if (!isIpv4(last)) return false
    groups.pop()
    count += 1
  }
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  return halves.length === 2 ? count < 8 : count === 8
}

export const isIp = (text: string): boolean => isIpv4(text) || isIpv6(text)

/** `key=value`; a word without `=` has the empty value. */
export function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

export interface ContainerPorts {
  readonly range: readonly [from: number, to: number]
  readonly protocol: string
}

export interface PublishedPorts {
  readonly container: ContainerPorts
  readonly hostIp: string
  /**
   * A number is of the first, and the others follow. Empty: the engine picks one for each.
   * `8000-8010`: one of these, for a single port.
   */
  readonly host: number | '' | `${string}-${string}`
}

/** The most ports that one range may hold: every port there is. */
const portMax = 65_535

export function parsePortRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const from = Number(match[1])
  const to = match[2] === undefined ? from : Number(match[2])
  return from <= to && to <= portMax ? [from, to] : undefined
}

/** `port[/protocol]` as a range and a protocol of tcp, udp or sctp. */
export function parseContainerPorts(text: string): ContainerPorts | undefined {
  const [ports, protocolText] = cut(text, '/')
  const protocol = (protocolText ?? 'tcp').toLowerCase()
  const range = parsePortRange(ports)
  if (range === undefined || !/^(tcp|udp|sctp)$/.test(protocol)) return undefined
  return { range, protocol }
}

/** `[[ip:][host-port]:]container-port[/protocol]`, ranges included. */
export function parsePublish(text: string): PublishedPorts | undefined {
  const match = /^(?:(?:(\[[^\]]*\]|[^:]*):)?([^:]*):)?([^:]+)$/.exec(text)
  if (match === null) return undefined
  const hostIp = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1')
  if (hostIp !== '' && !isIp(hostIp)) return undefined
  const container = parseContainerPorts(match[3] as string)
  if (container === undefined) return undefined
  const [from, to] = container.range
  const hostText = match[2] ?? ''
  if (hostText === '') return { container, hostIp, host: '' }
  const host = parsePortRange(hostText)
  if (host === undefined) return undefined
  // Ranges of one length pair up; a host range for one container port means any of them.
  if (host[1] - host[0] === to - from) return { container, hostIp, host: host[0] }
  return from === to ? { container, hostIp, host: `${host[0]}-${host[1]}` } : undefined
}
