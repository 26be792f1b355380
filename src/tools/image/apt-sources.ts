/**
 * The Debian archives that this machine itself is configured to use, so that an image comes from
 * the same mirror, and with the same security updates, as the machine that builds it.
 */
import { JangadaError } from '../../base/errors.ts'

export interface AptSource {
  readonly uri: string
  readonly suite: string
}

/** A file of `/etc/apt`, by name and text. */
export interface AptFile {
  readonly name: string
  readonly text: string
}

/**
 * Debian's own archives for `codename` among `files` (one-line `.list` and deb822 `.sources`).
 * Third parties' archives are left out: they use other suites, other components, or their own
 * key. Throws `JGD_TOOL_MISSING` when the release itself is not among them.
 */
export function debianSources(files: readonly AptFile[], codename: string): readonly AptSource[] {
  const suites = new Set([codename, `${codename}-updates`, `${codename}-security`])
  const found = new Map<string, AptSource>()
  for (const file of files) {
    const entries = file.name.endsWith('.sources') ? deb822(file.text) : oneLine(file.text)
    for (const entry of entries) {
      if (!suites.has(entry.suite) || !entry.components.includes('main')) continue
      if (entry.signedBy !== undefined && !entry.signedBy.includes('debian-archive')) continue
      const source = { uri: entry.uri.replace(/\/+$/, ''), suite: entry.suite }
      found.set(`${source.uri} ${source.suite}`, source)
    }
  }
  const sources = [...found.values()]
  if (!sources.some((source) => source.suite === codename)) {
    throw new JangadaError(
      'JGD_TOOL_MISSING',
      `no Debian archive for ${codename} is configured under /etc/apt`,
      { hint: 'build the image on a Debian machine whose `apt-get update` works' },
    )
  }
  return sources
}

interface Entry {
  readonly uri: string
  readonly suite: string
  readonly components: readonly string[]
  readonly signedBy: string | undefined
}

/** sources.list(5), one-line style: `deb [option=value …] uri suite component…`. */
function oneLine(text: string): readonly Entry[] {
  const entries: Entry[] = []
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line)
    if (match === null) continue
    const [, options = '', uri = '', suite = '', components = ''] = match
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]
    entries.push({ uri, suite, components: words(components), signedBy })
  }
  return entries
}

/** sources.list(5), deb822 style: stanzas of fields; a line that starts with a blank continues. */
function deb822(text: string): readonly Entry[] {
  const entries: Entry[] = []
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = stanzaFields(stanza)
    if (!words(fields.get('types') ?? '').includes('deb')) continue
    if (/^(no|false|0|off)$/i.test(fields.get('enabled') ?? 'yes')) continue
    for (const uri of words(fields.get('uris') ?? '')) {
      for (const suite of words(fields.get('suites') ?? '')) {
        const components = words(fields.get('components') ?? '')
        entries.push({ uri, suite, components, signedBy: fields.get('signed-by') })
      }
    }
  }
  return entries
}

function stanzaFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>()
  let name = ''
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue
    const match = /^([A-Za-z0-9-]+):(.*)$/.exec(line)
    if (match !== null) {
      name = (match[1] ?? '').toLowerCase()
      fields.set(name, (match[2] ?? '').trim())
    } else if (/^\s+\S/.test(line)) fields.set(name, `${fields.get(name) ?? ''} ${line.trim()}`)
  }
  return fields
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '')
