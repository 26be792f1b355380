/** The settings that people may change while the cluster runs, as text. */
import type { ClusterSettingsRecord } from './schemas.ts'

/** What a cluster does that has not been told otherwise. */
export const defaults = { replacementsPerSecond: 25 } as const

/** Slower than one in ten seconds would be no replacement; faster than this nothing is. */
const rateMin = 0.1
const rateMax = 10_000

export interface Setting {
  readonly name: string
  /** For people: what may be written. */
  readonly values: string
  /** One line for people. */
  readonly about: string
  readonly read: (settings: ClusterSettingsRecord) => string
  /** Undefined when `text` is no value of it. An empty text is the default. */
  readonly write: (
    settings: ClusterSettingsRecord,
    text: string,
  ) => ClusterSettingsRecord | undefined
}

const oneOf = <const Word extends string>(words: readonly Word[], text: string): Word | undefined =>
  words.find((word) => word === text)

const admissions = ['sticky', 'approve', 'auto'] as const
const statuses = ['full', 'counts', 'off'] as const

export const settingsList: readonly Setting[] = [
  {
    name: 'admission',
    values: admissions.join(', '),
    about: 'what becomes of a machine that boots from the network',
    read: ({ admission }) => admission,
    write: (settings, text) => {
      const admission = oneOf(admissions, text === '' ? 'sticky' : text)
      return admission === undefined ? undefined : { ...settings, admission }
    },
  },
  {
    name: 'replacements-per-second',
    values: `${rateMin} to ${rateMax}`,
    about: 'how fast units start elsewhere when many machines are lost at once',
    read: ({ replacementsPerSecond = defaults.replacementsPerSecond }) =>
      String(replacementsPerSecond),
    write: (settings, text) => {
      if (text === '') {
        return { ...settings, replacementsPerSecond: defaults.replacementsPerSecond }
      }
      const rate = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN
      return rate >= rateMin && rate <= rateMax
        ? { ...settings, replacementsPerSecond: rate }
        : undefined
    },
  },
  {
    name: 'status',
    values: statuses.join(', '),
    about: 'what the page tells without a credential',
    read: ({ status }) => status,
    write: (settings, text) => {
      const status = oneOf(statuses, text === '' ? 'full' : text)
      return status === undefined ? undefined : { ...settings, status }
    },
  },
]
