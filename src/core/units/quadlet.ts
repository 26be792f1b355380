/**
 * The `[Container]` section, in Podman Quadlet's key names (podman-systemd.unit(5), Podman 5), in place
 * of a `docker run` line. Each key becomes the words of a flag, so both ways to write a container meet
 * the same checks. Values are taken as they stand: `%` specifiers are put in, `$` is a dollar.
 */
import { readBoolean } from './placement.ts'
import type { Report } from './placement.ts'
import { valuesOfKey } from './service.ts'
import type { ContainerPlan, FlagOrigin, LocatedOption, ParsedUnitName, Template } from './types.ts'
import { splitWords, toTemplate } from './words.ts'

type Rule =
  /** `--flag=VALUE` for each value. */
  | { readonly kind: 'values'; readonly flag: string; readonly before?: string }
  /** As `values`, and only the last counts. */
  | { readonly kind: 'last'; readonly flag: string; readonly before?: string }
  /** `--flag=WORD` for each word of each value. */
  | { readonly kind: 'words'; readonly flag: string }
  /** `--flag=true`, or `--flag=GIVEN` when it is true. */
  | { readonly kind: 'switch'; readonly flag: string; readonly given?: string }
  /** Read by `readContainerSection` itself. */
  | { readonly kind: 'own'; readonly flag?: string }

const values = (flag: string): Rule => ({ kind: 'values', flag })
const last = (flag: string, before = ''): Rule => ({ kind: 'last', flag, before })
const words = (flag: string): Rule => ({ kind: 'words', flag })
const toggle = (flag: string): Rule => ({ kind: 'switch', flag })
const security = (before: string): Rule => last('security-opt', before)

const rules: Readonly<Record<string, Rule>> = {
  Image: { kind: 'own' },
  Exec: { kind: 'own' },
  Entrypoint: { kind: 'own', flag: 'entrypoint' },
  PodmanArgs: { kind: 'own' },
  User: { kind: 'own', flag: 'user' },
  Group: { kind: 'own', flag: 'user' },
  AddCapability: words('cap-add'),
  AddDevice: values('device'),
  AddHost: values('add-host'),
  AppArmor: security('apparmor='),
  ContainerName: last('name'),
  Cpus: last('cpus'),
  DNS: values('dns'),
  DNSOption: values('dns-option'),
  DNSSearch: values('dns-search'),
  DropCapability: words('cap-drop'),
  Environment: words('env'),
  EnvironmentFile: values('env-file'),
  ExposeHostPort: values('expose'),
  GroupAdd: values('group-add'),
  HealthCmd: last('health-cmd'),
  HealthInterval: last('health-interval'),
  HealthRetries: last('health-retries'),
  HealthStartPeriod: last('health-start-period'),
  HealthTimeout: last('health-timeout'),
  HostName: last('hostname'),
  IP: last('ip'),
  IP6: last('ip6'),
  Label: words('label'),
  LogDriver: last('log-driver'),
  LogOpt: values('log-opt'),
  Memory: last('memory'),
  Mount: values('mount'),
  Network: values('network'),
  NetworkAlias: values('network-alias'),
  NoNewPrivileges: { kind: 'switch', flag: 'security-opt', given: 'no-new-privileges' },
  PidsLimit: last('pids-limit'),
  PublishPort: values('publish'),
  Pull: last('pull'),
  ReadOnly: toggle('read-only'),
  RunInit: toggle('init'),
  SeccompProfile: security('seccomp='),
  SecurityLabelDisable: { kind: 'switch', flag: 'security-opt', given: 'label=disable' },
  SecurityLabelFileType: security('label=filetype:'),
  SecurityLabelLevel: security('label=level:'),
  SecurityLabelType: security('label=type:'),
  ShmSize: last('shm-size'),
  StopSignal: last('stop-signal'),
  StopTimeout: last('stop-timeout'),
  Sysctl: words('sysctl'),
  Tmpfs: values('tmpfs'),
  Ulimit: values('ulimit'),
  UserNS: last('userns'),
  Volume: values('volume'),
  WorkingDir: last('workdir'),
}

export const containerKeys: readonly string[] = Object.keys(rules)

/** Of Quadlet's other keys: what to do instead. */
export const containerInstead: Readonly<Record<string, string>> = {
  'Container.Annotation': 'the engine has none; write Label=',
  'Container.AutoUpdate':
    'name the image by a tag or digest, and submit the new one with --replace',
  'Container.EnvironmentHost': 'name each variable: Environment=NAME=value',
  'Container.Notify': 'a container is up once it is started',
  'Container.Pod': 'say MachineOf= in [X-Fleet] to share a machine',
  'Container.Rootfs': 'a container is made from an image',
  'Container.Secret': 'mount a file of the machine with Volume=',
  'Container.Timezone': 'write Environment=TZ=Europe/Paris',
}

/**
 * Where a value may name another file of Quadlet's, by its ending: Podman makes what that file says and calls
 * it `systemd-NAME`. Here nothing is made of it, and the name would be taken for that of the thing itself.
 */
const otherFiles: Readonly<Record<string, { readonly what: string; readonly name: RegExp }>> = {
  Image: { what: 'image', name: /^([^/:]+)\.(?:image|build)$/ },
  Mount: {
    what: 'volume or image',
    name: /(?:^|,)(?:source|src)=([^,/]+)\.(?:volume|image)(?:,|$)/,
  },
  Network: { what: 'network', name: /^([^:]+)\.(?:network|container)(?::|$)/ },
  Volume: { what: 'volume', name: /^([^:/]+)\.volume(?::|$)/ },
}

/** What follows is the image, whatever it looks like. */
const endOfFlags: Template = [{ kind: 'text', text: '--' }]

export const hasContainerSection = (options: readonly LocatedOption[]): boolean =>
  options.some(({ section }) => section === 'Container')

/** The section as the words of a `docker run` line; undefined when `report` has heard why not. */
export function readContainerSection(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  file: string,
  report: Report,
): ContainerPlan | undefined {
  const reader = new SectionReader(options, name, report)
  const first = options.find(({ section }) => section === 'Container')
  const line = first?.line ?? 0
  const image = reader.last('Image')
  if (image === undefined) {
    report(line, 'Image= is missing in [Container]')
    return undefined
  }
  for (const key of containerKeys) reader.takeFlag(key, rules[key] as Rule)
  reader.takeUser()
  const entry = reader.takeEntrypoint()
  const flags = [...reader.flags, ...reader.split('PodmanArgs'), endOfFlags]
  const command = [...entry, ...reader.split('Exec')]
  return reader.isWhole
    ? {
        words: [...flags, reader.word(image, image.value), ...command],
        ignoreFailure: false,
        file,
        line: image.line,
        keys: reader.keys,
      }
    : undefined
}

/**
 * What names other files of Quadlet's. Of units that people hand in: one that is there already, from a release
 * that took such a name as it stands, goes on.
 */
export function refuseOtherFiles(options: readonly LocatedOption[], report: Report): void {
  for (const [key, { what, name }] of Object.entries(otherFiles)) {
    for (const { value, line } of valuesOfKey(options, 'Container', key)) {
      const found = name.exec(value)?.[1]
      if (found === undefined) continue
      report(
        line,
        `${key}=${value}: it names another file of Quadlet's, and only .container files are read: name the ` +
          `${what} itself (what Podman made of that file it calls systemd-${found})`,
      )
    }
  }
}

class SectionReader {
  readonly flags: Template[] = []
  readonly keys: FlagOrigin[] = []
  isWhole = true
  readonly #options: readonly LocatedOption[]
  readonly #name: ParsedUnitName
  readonly #report: Report

  constructor(options: readonly LocatedOption[], name: ParsedUnitName, report: Report) {
    this.#options = options
    this.#name = name
    this.#report = report
  }

  all(key: string): readonly LocatedOption[] {
    return valuesOfKey(this.#options, 'Container', key)
  }

  last(key: string): LocatedOption | undefined {
    return this.all(key).at(-1)
  }

  takeFlag(key: string, rule: Rule): void {
    switch (rule.kind) {
      case 'own':
        return
      case 'values':
        for (const option of this.all(key)) this.#flag(rule.flag, option, option.value)
        return
      case 'last': {
        const option = this.last(key)
        if (option !== undefined) this.#flag(rule.flag, option, `${rule.before}${option.value}`)
        return
      }
      case 'words':
        for (const option of this.all(key)) {
          for (const word of this.#split(option)) this.#flag(rule.flag, option, word)
        }
        return
      default:
        this.#switch(key, rule.flag, rule.given ?? 'true')
    }
  }

  /** `User=` and `Group=` are one flag. */
  takeUser(): void {
    const user = this.last('User')
    const group = this.last('Group')
    if (group !== undefined && user === undefined) this.#refuse(group, 'say User= too')
    else if (user !== undefined) {
      const value = group === undefined ? user.value : `${user.value}:${group.value}`
      this.#flag('user', group ?? user, value)
    }
  }

  /** A list in JSON is a program and its first arguments, which are given back. */
  takeEntrypoint(): readonly Template[] {
    const option = this.last('Entrypoint')
    if (option === undefined) return []
    const [program = '', ...rest] = this.#listOf(option)
    this.#flag('entrypoint', option, program)
    return rest.map((text) => this.word(option, text))
  }

  #listOf(option: LocatedOption): readonly string[] {
    if (!option.value.startsWith('[')) return [option.value]
    try {
      const list: unknown = JSON.parse(option.value)
      if (Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'string')) {
        return list
      }
    } catch {
      // Told below.
    }
    this.#refuse(option, 'write a program, or a list of texts in JSON')
    return []
  }

  /** The words of every value of a command line. */
  split(key: 'Exec' | 'PodmanArgs'): readonly Template[] {
    const options = key === 'Exec' ? this.all(key).slice(-1) : this.all(key)
    return options.flatMap((option) => this.#split(option).map((text) => this.word(option, text)))
  }

  word(option: LocatedOption, text: string): Template {
    const made = toTemplate(text, this.#name, { variables: false })
    if (made.ok) return made.template
    this.#refuse(option, made.reason)
    return []
  }

  #split(option: LocatedOption): readonly string[] {
    const split = splitWords(option.value)
    if (split.ok) return split.words
    this.#refuse(option, split.reason)
    return []
  }

  #switch(key: string, flag: string, given: string): void {
    const option = this.last(key)
    if (option === undefined) return
    const on = readBoolean(option.value)
    if (on === undefined) this.#refuse(option, 'write true or false')
    else if (on) this.#flag(flag, option, given)
  }

  #flag(flag: string, option: LocatedOption, value: string): void {
    const [start, ...rest] = this.word(option, `--${flag}=${value}`)
    if (start === undefined) return
    this.flags.push([start, ...rest])
    this.keys.push({ flag, key: option.name, value: option.value, line: option.line })
  }

  #refuse({ name, value, line }: LocatedOption, reason: string): void {
    this.isWhole = false
    this.#report(line, `${name}=${value}: ${reason}`)
  }
}

/** A reason of `docker-run.ts`, told of the key that it comes from. */
export function explain(
  reason: string,
  { keys = [], line }: ContainerPlan,
): { readonly reason: string; readonly line: number } {
  const [, flag, rest = ''] = /^--([a-z0-9-]+): (.*)$/s.exec(reason) ?? []
  const all = keys.filter((one) => one.flag === flag)
  const found = all.find(({ value }) => rest.includes(value)) ?? all.at(-1)
  if (found === undefined) return { reason, line }
  return { reason: `${found.key}=${found.value}: ${rest}`, line: found.line }
}
