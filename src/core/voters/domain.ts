/** What fails together: machines of one rack, one switch, one power supply. */

/** The label by which people say so; machines without it are taken to fail alone. */
export const failureDomainLabel = 'failure-domain'

export function failureDomain(machine: {
  readonly id: string
  readonly metadata: Readonly<Record<string, string>>
}): string {
  const label = machine.metadata[failureDomainLabel]
  // No id holds a colon: a label that reads like another machine's id is still a place.
  return label === undefined || label === '' ? machine.id : `label:${label}`
}
