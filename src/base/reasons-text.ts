/** What stands against something on several machines, in one line for people. */
/** More than these would be read by nobody. */
const reasonsMax = 3
const machinesMax = 3

/** `n1, n2: the machine drains; n3: …`. */
export function reasonsByMachine(
  machines: readonly { readonly name: string; readonly reason: string }[],
): string {
  const groups = [...Map.groupBy(machines, ({ reason }) => reason)]
  const told = groups.slice(0, reasonsMax).map(([reason, group]) => {
    const names = group.map(({ name }) => name)
    const more = names.length > machinesMax ? ` and ${names.length - machinesMax} more` : ''
    return `${names.slice(0, machinesMax).join(', ')}${more}: ${reason}`
  })
  return groups.length > reasonsMax ? `${told.join('; ')}; …` : told.join('; ')
}
