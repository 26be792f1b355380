/** What a row of the list of units says, for people and for who waits. */
import type { UnitRow } from '../../node/api/answers.ts'

/** It ran: its container is kept until the next start. */
export const hasEnded = ({ active, sub, containerId }: UnitRow): boolean =>
  active === 'inactive' && sub === 'dead' && containerId !== undefined

export const rowText = (row: UnitRow): string => {
  const reason = row.message === '' ? '' : `: ${row.message}`
  return `${row.active} (${row.sub}) on ${placeText(row)}${reason}`
}

export const placeText = ({ machineName, machineAddress, machine }: UnitRow): string =>
  machine === null
    ? 'no machine'
    : `${machineName ?? machine.slice(0, 8)} (${machineAddress ?? 'no address'})`
