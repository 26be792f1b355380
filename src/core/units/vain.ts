/**
 * Names in a file that no unit can have: a slip of the pen, most likely. Of units that people hand in; one that is
 * there already goes on.
 */
import type { Report } from './placement.ts'
import { valuesOfKey } from './service.ts'
import type { LocatedOption } from './types.ts'

/** What a pattern has that may stand for other characters; a specifier is put in later. */
const standsForMore = /[*?[\\%"]/

export function refuseVainNames(options: readonly LocatedOption[], report: Report): void {
  for (const key of ['Conflicts', 'X-Conflicts', 'Replaces']) {
    for (const { value, line } of valuesOfKey(options, 'X-Fleet', key)) {
      for (const name of value.split(/\s+/)) {
        if (name === '' || standsForMore.test(name) || name.includes('.')) continue
        report(line, `${key}=${name}: no unit is called so; write ${name}.service`)
      }
    }
  }
}
