/** Which machine somebody means: by id, by the beginning of an id, or by name. */
import { JangadaError } from '../../base/errors.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import type { ClusterRecords } from './records.ts'

/** An id may be shortened to this many digits where it stays clear. */
const idDigitsMin = 4

/** Of those that have not left. Throws JGD_NOT_FOUND or JGD_CONFLICT. */
export function machineOf(records: ClusterRecords, text: string): MachineRecord {
  return pick(
    [...records.machines.values()].filter(({ status }) => status !== 'left'),
    text,
    ({ id, name }) => ({ id, name }),
    'jangada machines --full',
  )
}

/** The one of `all` that `text` means. Throws JGD_NOT_FOUND or JGD_CONFLICT. */
export function pick<T>(
  all: readonly T[],
  text: string,
  labels: (one: T) => { readonly id: string; readonly name: string },
  lookAt: string,
): T {
  const isPart = new RegExp(`^[0-9a-f]{${idDigitsMin},32}$`).test(text)
  const found = all.filter((one) => {
    const { id, name } = labels(one)
    return name === text || id === text || (isPart && id.startsWith(text))
  })
  const [first, second] = found
  if (first === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', `there is no machine ${text}`, { hint: lookAt })
  }
  if (second !== undefined) {
    throw new JangadaError('JGD_CONFLICT', `more than one machine is called ${text}`, {
      hint: `name it by its id: ${lookAt}`,
    })
  }
  return first
}
