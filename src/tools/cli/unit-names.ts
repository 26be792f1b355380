/** Unit names as people type them: without `.service`, with ranges, with globs. */
import { JangadaError } from '../../base/errors.ts'
import { globMatches } from '../../base/glob.ts'
import { expandNames, parseUnitName, withServiceSuffix } from '../../core/units/names.ts'
import type { UnitFilesAnswer } from '../../node/api/answers.ts'
import { usage } from './command.ts'
import type { NodeClient } from './node-client.ts'

/** `hello@{1..3}` → three full names. Throws JGD_USAGE. */
export function fullNames(words: readonly string[]): string[] {
  const names = words.flatMap((word) => {
    const expanded = expandNames(word)
    if (!expanded.ok) throw usage(expanded.reason)
    return expanded.names.map(withServiceSuffix)
  })
  return [...new Set(names)]
}

/** Podman's Quadlet keeps `web.service` in `web.container`. */
const quadletSuffix = '.container'

export const isQuadletFile = (path: string): boolean => path.endsWith(quadletSuffix)

/** The unit that the file at `path` describes. */
export function unitOfFile(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return isQuadletFile(name) ? `${name.slice(0, -quadletSuffix.length)}.service` : name
}

const isTemplate = (name: string): boolean => {
  const parsed = parseUnitName(name)
  return parsed.ok && parsed.name.kind === 'template'
}

const isGlob = (text: string): boolean => /[*?[]/.test(text)

const noneMatches = (pattern: string): JangadaError =>
  new JangadaError('JGD_UNIT_UNKNOWN', `no unit matches ${pattern}`, { hint: 'jangada unit-files' })

/**
 * As `fullNames`, and `hello@*` stands for those that there are: of what runs, unless `templates`
 * are wanted too. Throws JGD_UNIT_UNKNOWN for none.
 */
export async function knownNames(
  node: NodeClient,
  words: readonly string[],
  { templates = false }: { readonly templates?: boolean } = {},
): Promise<string[]> {
  const plain = fullNames(words.filter((word) => !isGlob(word)))
  const patterns = words.filter(isGlob).map(withServiceSuffix)
  if (patterns.length === 0) return plain
  const { unitFiles } = await node.get<UnitFilesAnswer>('/v1/unit-files')
  const found = patterns.flatMap((pattern) => {
    const names = unitFiles
      .map(({ name }) => name)
      .filter((name) => globMatches(pattern, name) && (templates || !isTemplate(name)))
    if (names.length === 0) throw noneMatches(pattern)
    return names
  })
  return [...new Set([...plain, ...found])]
}
